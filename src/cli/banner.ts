// The output of a node that has started: the three lines that scripts of Coolpy7's users look for,
// then a banner: who may connect, how the next box joins, and a command to try. Must never contain
// the value of the token.

import { basename, extname, relative } from 'node:path';
import { accessSummaryOf, isClosed, isLeftOpen } from '../auth/access-summary.ts';
import { type Config, isClustered, usesBeacon } from '../config/config.ts';
import { GOSSIP_PORT } from '../config/options-cluster.ts';
import type { OpenListener, RunningNode } from '../node/node.ts';
import { type Endpoint, formatEndpoint, isLoopback, isUnspecified } from '../shared/endpoint.ts';
import type { ListenerConfig } from '../shared/listener-config.ts';
import { version } from '../shared/version.ts';

export type Running = Pick<RunningNode, 'listeners' | 'gossip' | 'sync' | 'http'>;

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
  if (running.http !== undefined) {
    const protocol = config.httpCert === undefined ? 'http' : 'https';
    lines.push(`management on ${protocol} ${formatEndpoint(running.http)}`);
  }
  return lines;
}

/** @param command starts this program: `node /opt/shoal/shoal.js` */
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

/** Leaves out the listeners that are open to everyone: the warning right above names them. */
function clientRows(config: Config): string[][] {
  const described = config.listeners
    .filter((listener) => !isLeftOpen(config, listener))
    .map((listener) => ({ place: listener.place, text: whoMayConnect(config, listener) }));
  const isOneForAll =
    described.length === config.listeners.length &&
    new Set(described.map(({ text }) => text)).size === 1;
  const lines = isOneForAll
    ? described.slice(0, 1).map(({ text }) => text)
    : described.map(({ place, text }) => `${place}: ${text}`);
  return lines.map((line, index) => [index === 0 ? 'clients' : '', line]);
}

function whoMayConnect(config: Config, listener: ListenerConfig): string {
  const { aclFile } = listener;
  const admission = accessSummaryOf(config, listener);
  const { needsCertificate, byCertificate, byPassword, byNothing } = admission;
  if (isClosed(admission)) return 'no client can connect';
  const rights =
    aclFile === undefined ? 'may publish and subscribe' : `have the rights that ${aclFile} gives`;
  const proofs = [
    ...(byCertificate ? ['a certificate'] : []),
    ...(byPassword ? ['a password'] : []),
  ].join(' or ');
  const before = needsCertificate && !byCertificate ? 'need a certificate and ' : '';
  if (byPassword && byNothing) {
    return `${before}may connect without a user name, and then ${rights}`;
  }
  if (byNothing) return `${before}need no password, and ${rights}`;
  return `${before}need ${proofs}, and then ${rights}`;
}

function tryRows(config: Config, { listeners }: Running, hostAddress: string): string[][] {
  const open = listeners.flatMap((listener, index) => {
    // Running and configured listeners have the same order.
    const configured = config.listeners[index];
    const admission = configured && accessSummaryOf(config, configured);
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

function clusterRows(
  config: Config,
  running: Running,
  hostAddress: string,
  command: string,
): string[][] {
  if (!isClustered(config) || running.gossip === undefined) {
    return [['cluster', 'none, this is a single broker; -csk=TOKEN forms one']];
  }
  const seed = reachable(config, running.gossip, hostAddress);
  const token = config.tokenFile === undefined ? '-csk=TOKEN' : '-csk-file=TOKEN-FILE';
  const join = `${command} -nid=NAME ${token} -mbs=${formatEndpoint(seed)}`;
  const isFound = usesBeacon(config) && !isLoopback(seed.address);
  const { port } = running.gossip;
  const samePort = port === GOSSIP_PORT ? '' : `, but the same -crp=${port}`;
  const [where, more] = isLoopback(seed.address)
    ? [
        'no other box can reach it; another node on this box joins',
        ` -bind=${seed.address} -port=0 -crp=0 -csp=0`,
      ]
    : ['the next box joins', ''];
  return [
    ['cluster', `node ${config.nodeName}; ${where} with the same token:`],
    ['', join + more],
    ...(isFound ? [['', `on this network it needs no -mbs${samePort}`]] : []),
  ];
}

/**
 * The command that starts this program again.
 * @param workFolder the folder in which a user will type it; undefined if that is unknown
 */
export function commandOf(scriptPath: string, workFolder: string | undefined): string {
  const inside = workFolder === undefined ? '..' : relative(workFolder, scriptPath);
  const script = inside.startsWith('..') ? scriptPath : inside;
  // npm installs it under a name without extension, found in PATH.
  return extname(script) === '' ? basename(script) : `node ${script}`;
}

function reachable({ advertise }: Config, gossip: Endpoint, hostAddress: string): Endpoint {
  if (advertise !== undefined) {
    return { address: advertise.address, port: advertise.gossipPort ?? gossip.port };
  }
  const address = isUnspecified(gossip.address) ? hostAddress : gossip.address;
  return { address, port: gossip.port };
}
