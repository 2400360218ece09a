// A network of boxes on this machine: each host is a network namespace with an address of its own. The
// bridge between them is in a namespace too, so that nothing leaks out and two networks may use the
// same addresses. Needs root and iproute2; cut() and lose() need nft.
// Invariant: destroy() leaves nothing behind.

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAMESPACE_FILES = '/etc/netns';

let networks = 0;

/** @param commands any of the programs that a test runs */
export function missingPrivilege(...commands: readonly string[]): string | false {
  if (process.platform !== 'linux') return 'needs Linux';
  for (const command of ['ip', ...commands]) {
    if (!succeeds('sh', ['-c', `command -v ${command}`])) return `needs ${command}`;
  }
  const probe = `shl${process.pid}-probe`;
  if (!succeeds('ip', ['netns', 'add', probe])) {
    return 'needs the right to make network namespaces';
  }
  execFileSync('ip', ['netns', 'delete', probe]);
  return false;
}

export class Network {
  readonly #tag: string;
  readonly #hosts: Record<string, readonly string[]>;
  readonly #filed = new Set<string>();

  /** @param hosts addresses of each host, IPv4 (of one /24) or IPv6 (of one /64) */
  constructor(hosts: Readonly<Record<string, readonly string[]>>) {
    networks += 1;
    this.#tag = `shl${process.pid}-${networks}`;
    this.#hosts = { ...hosts };
    const hub = this.#namespace('hub');
    ip('netns', 'add', hub);
    configure(hub, ['link add br0 type bridge forward_delay 0', 'link set dev br0 up']);
    for (const [host, addresses] of Object.entries(hosts)) {
      const namespace = this.#namespace(host);
      ip('netns', 'add', namespace);
      configure(hub, [
        `link add eth0 netns ${namespace} type veth peer name ${host} netns ${hub}`,
        `link set dev ${host} master br0 up`,
      ]);
      configure(namespace, [
        ...addresses.map((address) =>
          address.includes(':')
            ? `address add ${address}/64 dev eth0 nodad`
            : `address add ${address}/24 dev eth0`,
        ),
        'link set dev lo up',
        'link set dev eth0 up',
      ]);
    }
  }

  address(host: string): string {
    const [address] = this.#hosts[host] ?? [];
    if (address === undefined) throw new Error(`no host ${host} in this network`);
    return address;
  }

  /** Command prefix that runs a program on the host. */
  via(host: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespace(host)];
  }

  /** Host names for processes started from now on, instead of the machine's. */
  writeHostsFile(host: string, names: Readonly<Record<string, string>>): void {
    const lines = Object.entries({ localhost: '127.0.0.1', ...names });
    const text = lines.map(([name, address]) => `${address} ${name}\n`).join('');
    this.#writeFile(host, 'hosts', text);
  }

  /** The machine id that processes started from now on find, where the machine has one. */
  setMachineId(host: string, id: string): void {
    this.#writeFile(host, 'machine-id', `${id}\n`);
  }

  /** Puts a file into /etc, as processes of the host see it. */
  #writeFile(host: string, name: string, text: string): void {
    const folder = join(NAMESPACE_FILES, this.#namespace(host));
    mkdirSync(folder, { recursive: true });
    this.#filed.add(folder);
    writeFileSync(join(folder, name), text);
  }

  /** Replaces the host's IPv4 address. */
  moveTo(host: string, address: string): void {
    configure(this.#namespace(host), [
      `address delete ${this.address(host)}/24 dev eth0`,
      `address add ${address}/24 dev eth0`,
    ]);
    this.#hosts[host] = [address];
  }

  /** Takes one of its addresses from the host. */
  addAddress(host: string, address: string): void {
    configure(this.#namespace(host), [`address add ${address}/24 dev eth0`]);
  }

  dropAddress(host: string, address: string): void {
    configure(this.#namespace(host), [`address delete ${address}/24 dev eth0`]);
  }

  /** The host's interface sends and receives no multicast. */
  withoutMulticast(host: string): void {
    configure(this.#namespace(host), ['link set dev eth0 multicast off']);
    this.#filter(host, [
      'chain in { type filter hook input priority 0; pkttype multicast drop; ip daddr 224.0.0.0/4 drop; }',
      'chain out { type filter hook output priority 0; ip daddr 224.0.0.0/4 drop; }',
    ]);
  }

  /** Unplugs the host, or plugs it in again. */
  setLink(host: string, state: 'up' | 'down'): void {
    configure(this.#namespace('hub'), [`link set dev ${host} ${state}`]);
  }

  /** Cuts the host off from the named others, in both directions. */
  cut(host: string, others: readonly string[]): void {
    const far = others.map((other) => this.address(other)).join(', ');
    this.#filter(host, [
      `chain in { type filter hook input priority 0; ip saddr { ${far} } drop; }`,
      `chain out { type filter hook output priority 0; ip daddr { ${far} } drop; }`,
    ]);
  }

  /** Drops this percentage of UDP datagrams to the host. */
  lose(host: string, percent: number): void {
    this.#filter(host, [
      'chain in { type filter hook input priority 0; ' +
        `meta l4proto udp numgen random mod 100 < ${percent} drop; }`,
    ]);
  }

  /** Makes a firewall on the host drop what goes to this port, incoming or outgoing. */
  blockPort(
    host: string,
    direction: 'in' | 'out',
    port: number,
    protocol: 'udp' | 'tcp' = 'udp',
  ): void {
    this.#drop(host, direction, `${protocol} dport ${port}`);
  }

  /** Makes a firewall on the host drop datagrams of another address to this port. */
  blockFrom(host: string, address: string, port: number): void {
    this.#drop(host, 'in', `ip saddr ${address} udp dport ${port}`);
  }

  #drop(host: string, direction: 'in' | 'out', match: string): void {
    const hook = direction === 'in' ? 'input' : 'output';
    this.#filter(host, [`chain block { type filter hook ${hook} priority 0; ${match} drop; }`]);
  }

  /**
   * The host translates addresses as a container's bridge does: each port outside leads to one
   * inside, the ports inside can't be reached directly, and outgoing datagrams have other source ports.
   * @param ports UDP ports, outside to inside
   */
  mapPorts(host: string, ports: Readonly<Record<number, number>>): void {
    const inside = Object.values(ports).join(', ');
    const redirects = Object.entries(ports).map(
      ([outer, inner]) => `udp dport ${outer} redirect to :${inner};`,
    );
    this.#filter(host, [
      `chain outside { type nat hook prerouting priority -100; ${redirects.join(' ')} }`,
      `chain source { type nat hook postrouting priority 100; udp sport { ${inside} } masquerade to :20000-29999; }`,
      `chain in { type filter hook input priority 0; ct status dnat accept; ct state new udp dport { ${inside} } drop; }`,
    ]);
  }

  /** Drops UDP datagrams with a larger payload, like a path with a small MTU. */
  dropLarger(host: string, payloadBytes: number): void {
    this.#filter(host, [
      `chain in { type filter hook input priority 0; udp length > ${payloadBytes + 8} drop; }`,
    ]);
  }

  /** Whether the host has this address at present. */
  holds(host: string, address: string): boolean {
    const bits = address.includes(':') ? 128 : 32;
    const shown = execFileSync(
      'ip',
      ['-n', this.#namespace(host), '-brief', 'address', 'show', 'to', `${address}/${bits}`],
      { encoding: 'utf8' },
    );
    return shown.includes(address);
  }

  /** The hardware address behind an address, as the host has it in its cache; undefined if it has none. */
  neighbour(host: string, address: string): string | undefined {
    const words = ['-n', this.#namespace(host), 'neigh', 'show', address, 'dev', 'eth0'];
    return /lladdr (\S+)/.exec(execFileSync('ip', words, { encoding: 'utf8' }))?.[1];
  }

  hardwareAddress(host: string): string {
    const words = ['-n', this.#namespace(host), '-brief', 'link', 'show', 'dev', 'eth0'];
    return execFileSync('ip', words, { encoding: 'utf8' }).trim().split(/\s+/)[2] ?? '';
  }

  /** Bytes that the host has sent so far, headers of the lower layers included. */
  sentBytes(host: string): number {
    const [command = '', ...flags] = this.via(host);
    const file = '/sys/class/net/eth0/statistics/tx_bytes';
    return Number(execFileSync(command, [...flags, 'cat', file], { encoding: 'utf8' }));
  }

  heal(host: string): void {
    nft(this.via(host), 'delete table inet faults\n');
  }

  destroy(): void {
    for (const host of ['hub', ...Object.keys(this.#hosts)]) {
      succeeds('ip', ['netns', 'delete', this.#namespace(host)]);
    }
    for (const folder of this.#filed) rmSync(folder, { recursive: true, force: true });
    if (this.#filed.size > 0) removeIfEmpty(NAMESPACE_FILES);
  }

  #filter(host: string, chains: readonly string[]): void {
    nft(this.via(host), `table inet faults {\n${chains.join('\n')}\n}\n`);
  }

  #namespace(host: string): string {
    return `${this.#tag}-${host}`;
  }
}

function configure(namespace: string, lines: readonly string[]): void {
  execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

function nft(via: readonly string[], rules: string): void {
  const [command = '', ...flags] = via;
  execFileSync(command, [...flags, 'nft', '-f', '-'], { input: rules });
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words);
}

function succeeds(command: string, flags: readonly string[]): boolean {
  try {
    execFileSync(command, flags, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Other networks still use it.
  }
}
