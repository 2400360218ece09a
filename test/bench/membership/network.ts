// A small Ethernet in network namespaces: one bridge, one namespace for each node, with loss and cuts
// by nft. Needs root, ip and nft. The name of everything that it creates contains the tag.

import { execFileSync, spawnSync } from 'node:child_process';

export class BenchNetwork {
  readonly #tag: string;
  readonly #size: number;

  constructor(tag: string, size: number) {
    this.#tag = tag;
    this.#size = size;
    this.remove();
    this.#run(`ip netns add ${tag}sw`);
    this.#inside('sw', `ip link add br0 type bridge forward_delay 0`);
    this.#inside('sw', 'ip link set br0 up');
    for (let node = 1; node <= size; node++) this.#addNode(node);
  }

  namespace(node: number): string {
    return `${this.#tag}${node}`;
  }

  address(node: number): string {
    return `10.77.0.${node}`;
  }

  /** Every node drops each arriving IP packet with this probability. */
  setLoss(percent: number): void {
    for (let node = 1; node <= this.#size; node++) {
      this.#filter(node, percent === 0 ? undefined : `numgen random mod 100 < ${percent} drop`);
    }
  }

  /** Separates the first `count` nodes from the others; 0 reconnects all. */
  cut(count: number): void {
    for (let node = 1; node <= this.#size; node++) {
      const [first, last] = node <= count ? [count + 1, this.#size] : [1, count];
      const range = `${this.address(first)}-${this.address(last)}`;
      this.#filter(node, count === 0 ? undefined : `ip saddr ${range} drop`);
    }
  }

  /** @returns bytes and packets that the node has sent, as its interface counts them */
  sent(node: number): { bytes: number; packets: number } {
    const folder = '/sys/class/net/eth0/statistics';
    const text = this.#inside(String(node), `cat ${folder}/tx_bytes ${folder}/tx_packets`);
    const [bytes, packets] = text.trim().split('\n').map(Number);
    return { bytes: bytes ?? 0, packets: packets ?? 0 };
  }

  remove(): void {
    const names = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.split('\n');
    for (const line of names) {
      const name = line.split(' ')[0]!;
      if (new RegExp(`^${this.#tag}(sw|\\d+)$`).test(name)) this.#run(`ip netns del ${name}`);
    }
  }

  #addNode(node: number): void {
    const [name, port] = [this.namespace(node), `p${node}`];
    this.#run(`ip netns add ${name}`);
    this.#inside('sw', `ip link add ${port} type veth peer name eth0 netns ${name}`);
    this.#inside('sw', `ip link set ${port} master br0 up`);
    for (const command of [
      'sysctl -qw net.ipv6.conf.all.disable_ipv6=1',
      'ip link set lo up',
      `ip address add ${this.address(node)}/24 dev eth0`,
      'ip link set eth0 up',
      'nft add table inet bench',
      'nft add chain inet bench arriving { type filter hook input priority 0 ; }',
    ]) {
      this.#inside(String(node), command);
    }
  }

  #filter(node: number, rule: string | undefined): void {
    this.#inside(String(node), 'nft flush chain inet bench arriving');
    if (rule !== undefined) {
      this.#inside(String(node), `nft add rule inet bench arriving iifname eth0 ${rule}`);
    }
  }

  #inside(name: string, command: string): string {
    return this.#run(`ip netns exec ${this.#tag}${name} ${command}`);
  }

  #run(command: string): string {
    const [program, ...parameters] = command.split(' ');
    return execFileSync(program!, parameters, { encoding: 'utf8' });
  }
}
