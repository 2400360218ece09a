// The firewall of this machine, and the line that opens a port in it. Reads what any user may read; the
// rules of nft and iptables only root may see, and without them their lines are general ones.

import { addressToBytes } from '../shared/ip-address.ts';
import type { Interface, Machine } from './machine.ts';

export type FirewallKind = 'ufw' | 'firewalld' | 'nft' | 'iptables' | 'windows' | 'none';

export interface Firewall {
  readonly kind: FirewallKind;
  /** Of nft: chains that drop datagrams, as `inet filter input`; by direction. */
  readonly chains: Readonly<Record<'in' | 'out', readonly string[]>>;
}

const NO_CHAINS = { in: [], out: [] };
/** Chains that iptables makes in nft. */
const IPTABLES_CHAIN = /^ip6? filter (INPUT|OUTPUT)$/;

export async function findFirewall(machine: Machine): Promise<Firewall> {
  if (machine.platform === 'win32') return { kind: 'windows', chains: NO_CHAINS };
  if (machine.platform !== 'linux') return { kind: 'none', chains: NO_CHAINS };
  const ufw = machine.readFile('/etc/ufw/ufw.conf') ?? '';
  if (/^ENABLED=yes/im.test(ufw)) return { kind: 'ufw', chains: NO_CHAINS };
  if ((await machine.run('firewall-cmd', '--state'))?.startsWith('running')) {
    return { kind: 'firewalld', chains: NO_CHAINS };
  }
  const rules = await machine.run('nft', '-a', 'list', 'ruleset');
  const chains = rules === undefined ? NO_CHAINS : droppingChains(rules);
  const all = [...chains.in, ...chains.out];
  if (all.some((chain) => !IPTABLES_CHAIN.test(chain))) return { kind: 'nft', chains };
  const filter = await machine.run('iptables', '-S');
  const isDropping = /^-P (INPUT|OUTPUT) DROP|-j (DROP|REJECT)/m.test(filter ?? '');
  return { kind: all.length > 0 || isDropping ? 'iptables' : 'none', chains };
}

/** Base chains on the hooks input and output that drop something, by policy or by a rule. */
export function droppingChains(ruleset: string): Record<'in' | 'out', string[]> {
  const found: Record<'in' | 'out', string[]> = { in: [], out: [] };
  let table = '';
  let chain = '';
  let hook: 'in' | 'out' | undefined;
  for (const line of ruleset.split('\n')) {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    const opened = /^\tchain (\S+) \{/.exec(line)?.[1];
    if (opened !== undefined) {
      chain = opened;
      hook = undefined;
    }
    const name = /type filter hook (input|output)/.exec(line)?.[1];
    if (name !== undefined) hook = name === 'input' ? 'in' : 'out';
    if (hook === undefined || !/\b(drop|reject)\b/.test(line)) continue;
    const full = `${table} ${chain}`;
    if (!found[hook].includes(full)) found[hook].push(full);
  }
  return found;
}

/**
 * The lines that let datagrams, or connections, to these ports pass.
 * @param network from which they may come, as `192.168.1.0/24`; undefined for any
 */
export function openingLines(
  { kind, chains }: Firewall,
  direction: 'in' | 'out',
  ports: readonly number[],
  network: string | undefined,
  protocol: 'udp' | 'tcp' = 'udp',
): string[] {
  const [range, list] = [portRange(ports, ':'), ports.join(', ')];
  const isIn = direction === 'in';
  const isIpv6 = network?.includes(':') === true;
  switch (kind) {
    case 'ufw':
      return isIn
        ? [`ufw allow from ${network ?? 'any'} to any port ${range} proto ${protocol}`]
        : [`ufw allow out ${range}/${protocol}`];
    case 'firewalld':
      return [
        `firewall-cmd --permanent --add-port=${portRange(ports, '-')}/${protocol}`,
        'firewall-cmd --reload',
      ];
    case 'nft': {
      const own = chains[direction];
      const names = own.length > 0 ? own : [`inet filter ${isIn ? 'input' : 'output'}`];
      return names.map((chain) => `nft insert rule ${chain} ${protocol} dport { ${list} } accept`);
    }
    case 'windows': {
      const way = isIn ? 'dir=in' : 'dir=out';
      const which = isIn ? 'localport' : 'remoteport';
      return [
        `netsh advfirewall firewall add rule name=Shoal ${way} action=allow protocol=${protocol.toUpperCase()} ${which}=${portRange(ports, '-')}`,
      ];
    }
    default: {
      const program = isIpv6 ? 'ip6tables' : 'iptables';
      const from = isIn && network !== undefined ? ` -s ${network}` : '';
      return [
        `${program} -I ${isIn ? 'INPUT' : 'OUTPUT'}${from} -p ${protocol} --dport ${range} -j ACCEPT`,
      ];
    }
  }
}

/** The network of the interface that reaches the address; the address itself where there is none. */
export function networkOf(address: string, interfaces: readonly Interface[]): string {
  const wanted = addressToBytes(address);
  for (const { address: own, prefixBits } of interfaces) {
    const bytes = addressToBytes(own);
    if (wanted === undefined || bytes?.length !== wanted.length) continue;
    const network = masked(bytes, prefixBits);
    if (!network.equals(masked(wanted, prefixBits))) continue;
    const text = network.length === 4 ? network.join('.') : `${own.split('::')[0]}::`;
    return `${text}/${prefixBits}`;
  }
  return address;
}

function masked(bytes: Buffer, bits: number): Buffer {
  return Buffer.from(
    bytes.map((byte, index) => {
      const kept = Math.max(0, Math.min(8, bits - index * 8));
      return byte & (0xff << (8 - kept));
    }),
  );
}

function portRange(ports: readonly number[], separator: string): string {
  const sorted = [...ports].sort((a, b) => a - b);
  const [first = 0, second] = sorted;
  if (second === undefined) return String(first);
  return second === first + 1 ? `${first}${separator}${second}` : sorted.join(',');
}
