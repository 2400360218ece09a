// What a node says when it is up: the three lines that Coolpy7's users and their scripts know, then
// a banner that tells who may connect, how the next box joins, and a command to try. The token's
// value is never among them.

import { networkInterfaces } from 'node:os';
import { basename, extname, relative } from 'node:path';
import { admissionOf, isClosed, isLeftOpen } from '../auth/access-summary.ts';
import { type Config, isClustered } from '../config/config.ts';
import type { OpenListener, RunningNode } from '../node/node.ts';
import { type Endpoint, formatEndpoint, isLoopback } from '../shared/endpoint.ts';
import type { ListenerConfig } from '../shared/listener-config.ts';
import { version } from '../shared/version.ts';

export type Running = Pick<RunningNode, 'listeners' | 'gossip' | 'sync'>;

export function startLines(config: Config, running: Running, hostAddress: string): string[] {
  const lines: string[] = [];
  if (running.gossip !== undefined) {
    const endpoint = reachable(config, running.gossip, hostAddress);
    lines.push(`cluster on udp ${formatEndpoint(endpoint)}`);
  }
  if (running.sync !== undefined) lines.push(`cluster sync on udp port ${running.sync.port}`);
  for (const { protocol, local } of running.listeners) {
    lines.push(`Shoal v${version} ${protocol} ${formatEndpoint(local)}`);
  }
  return lines;
}

/** @param command how this program was started */
export function banner(
  config: Config,
  running: Running,
  hostAddress: string,
  command: string,
): string {
  const rows = [
    ...clientRows(config),
    ...clusterRows(config, running, hostAddress, command),
    ...tryRows(config, running, hostAddress),
  ];
  return rows.map(([title = '', text = '']) => `  ${title.padEnd(9)}${text}\n`).join('');
}

/** A listener that was left open has its warning right above, which says the same. */
function clientRows(config: Config): string[][] {
  const told = config.listeners
    .filter((listener) => !isLeftOpen(config, listener))
    .map((listener) => ({ place: listener.place, text: whoMayConnect(config, listener) }));
  const isOneForAll =
    told.length === config.listeners.length && new Set(told.map(({ text }) => text)).size === 1;
  const lines = isOneForAll
    ? told.slice(0, 1).map(({ text }) => text)
    : told.map(({ place, text }) => `${place}: ${text}`);
  return lines.map((line, index) => [index === 0 ? 'clients' : '', line]);
}

function whoMayConnect(config: Config, listener: ListenerConfig): string {
  const { aclFile } = listener;
  const admission = admissionOf(config, listener);
  const { needsCertificate, byCertificate, byPassword, byNothing } = admission;
  if (isClosed(admission)) return 'nobody can connect';
  const may = aclFile === undefined ? 'may publish and subscribe' : `may do what ${aclFile} says`;
  const proofs = [
    ...(byCertificate ? ['a certificate'] : []),
    ...(byPassword ? ['a password'] : []),
  ].join(' or ');
  const before = needsCertificate && !byCertificate ? 'need a certificate and ' : '';
  if (byPassword && byNothing) {
    return `${before}may come without a user name; whoever is in ${may}`;
  }
  if (byNothing) return `${before}need no password: whoever reaches this port ${may}`;
  return `${before}need ${proofs}; whoever is in ${may}`;
}

function tryRows(config: Config, { listeners }: Running, hostAddress: string): string[][] {
  const open = listeners.flatMap((listener, index) => {
    // The same order.
    const configured = config.listeners[index];
    const admission = configured && admissionOf(config, configured);
    const { protocol, local } = listener;
    return admission === undefined || isClosed(admission) ? [] : [{ protocol, local, admission }];
  });
  const find = (wanted: OpenListener['protocol']) =>
    open.find(({ protocol }) => protocol === wanted);
  const listener = find('tcp') ?? find('tls') ?? open[0];
  if (listener === undefined) return [];
  const { protocol, local, admission } = listener;
  const { needsCertificate, byCertificate, byPassword, byNothing } = admission;
  const host = isUnspecified(local.address) ? hostAddress : local.address;
  const isPasswordNeeded = byPassword && !byNothing;
  if (protocol === 'ws' || protocol === 'wss') {
    const address = formatEndpoint({ address: host, port: local.port });
    const login = isPasswordNeeded ? ', with user name and password' : '';
    return [['try', `a WebSocket client at ${protocol}://${address}/mqtt${login}`]];
  }
  const isCertificateNeeded = needsCertificate || (byCertificate && !byPassword && !byNothing);
  const target = [
    `-h ${host}`,
    ...(local.port === 1883 ? [] : [`-p ${local.port}`]),
    ...(protocol === 'tls' ? ['--cafile CA-FILE'] : []),
    ...(isCertificateNeeded ? ['--cert CERT-FILE --key KEY-FILE'] : []),
    ...(isPasswordNeeded ? ['-u USER -P PASSWORD'] : []),
  ].join(' ');
  return [
    ['try', `mosquitto_sub ${target} -t 'test/#' -v`],
    ['', `mosquitto_pub ${target} -t test/hello -m world`],
  ];
}

/** The first address of this machine that others can reach; loopback where there is none. */
export function findHostAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const outside = addresses.filter(({ internal }) => !internal);
  const best = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return best?.address ?? '127.0.0.1';
}

function clusterRows(
  config: Config,
  running: Running,
  hostAddress: string,
  command: string,
): string[][] {
  if (!isClustered(config) || running.gossip === undefined) {
    return [['cluster', 'none: a single broker; give -csk=TOKEN to form one']];
  }
  const seed = reachable(config, running.gossip, hostAddress);
  const join = `${command} -nid=NAME -csk=TOKEN -mbs=${formatEndpoint(seed)}`;
  const [where, more] = isLoopback(seed.address)
    ? ['no other box can reach it; on this one', ` -bind=${seed.address} -port=0 -crp=0 -csp=0`]
    : ['on the next box', ''];
  return [
    ['cluster', `node ${config.nodeName}; ${where}, with the same token:`],
    ['', join + more],
  ];
}

/** How whoever started this program would start it again, in the same folder. */
export function commandOf(scriptPath: string, workFolder: string): string {
  const inside = relative(workFolder, scriptPath);
  const script = inside.startsWith('..') ? scriptPath : inside;
  // As npm installs it: a name without an ending, in PATH.
  return extname(script) === '' ? basename(script) : `node ${script}`;
}

function reachable({ advertise }: Config, gossip: Endpoint, hostAddress: string): Endpoint {
  if (advertise !== undefined) return { port: gossip.port, ...advertise };
  const address = isUnspecified(gossip.address) ? hostAddress : gossip.address;
  return { address, port: gossip.port };
}

function isUnspecified(address: string): boolean {
  return address === '::' || address === '0.0.0.0';
}
