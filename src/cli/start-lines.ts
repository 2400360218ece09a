// What a node says when it is up: the three lines that Coolpy7's users and their scripts know, then
// a banner that tells who may connect, how the next box joins, and a command to try. The token's
// value is never among them.

import { networkInterfaces } from 'node:os';
import { isAuthenticating } from '../auth/access-control.ts';
import { type Config, isClustered } from '../config/config.ts';
import type { OpenListener, RunningNode } from '../node.ts';
import { type Endpoint, formatEndpoint } from '../shared/endpoint.ts';
import { version } from '../shared/version.ts';

export type Running = Pick<RunningNode, 'listeners' | 'gossip' | 'sync'>;

export function startLines(config: Config, running: Running, hostAddress: string): string[] {
  const lines: string[] = [];
  if (running.gossip !== undefined) {
    lines.push(`cluster on udp ${reachable(config, running.gossip, hostAddress)}`);
  }
  if (running.sync !== undefined) lines.push(`cluster sync on udp port ${running.sync.port}`);
  for (const { protocol, local } of running.listeners) {
    lines.push(`Shoal v${version} ${protocol} ${formatEndpoint(local)}`);
  }
  return lines;
}

export function banner(config: Config, running: Running, hostAddress: string): string {
  const rows = [
    ['clients', whoMayConnect(config)],
    ...clusterRows(config, running, hostAddress),
    ...tryRows(config, running, hostAddress),
  ];
  return rows.map(([title = '', text = '']) => `  ${title.padEnd(9)}${text}\n`).join('');
}

function whoMayConnect(config: Config): string {
  const { anonymousAllowed, aclFile } = config;
  const may = aclFile === undefined ? 'may publish and subscribe' : `may do what ${aclFile} says`;
  if (!isAuthenticating(config)) {
    return anonymousAllowed === false
      ? 'need a certificate: no other authentication is configured'
      : `need no password: whoever reaches this port ${may}`;
  }
  const needed = anonymousAllowed === true ? 'may come without a user name' : 'need a password';
  return `${needed}; whoever is in ${may}`;
}

function tryRows(config: Config, { listeners }: Running, hostAddress: string): string[][] {
  const find = (wanted: OpenListener['protocol']) =>
    listeners.find(({ protocol }) => protocol === wanted);
  const listener = find('tcp') ?? find('tls') ?? listeners[0];
  if (listener === undefined) return [];
  const { protocol, local } = listener;
  const host = isUnspecified(local.address) ? hostAddress : local.address;
  if (protocol === 'ws' || protocol === 'wss') {
    const address = formatEndpoint({ address: host, port: local.port });
    return [['try', `a WebSocket client at ${protocol}://${address}/mqtt`]];
  }
  const port = local.port === 1883 ? '' : ` -p ${local.port}`;
  const authority = protocol === 'tls' ? ' --cafile CA-FILE' : '';
  const isNameNeeded = isAuthenticating(config) && config.anonymousAllowed !== true;
  const target = `-h ${host}${port}${authority}${isNameNeeded ? ' -u USER -P PASSWORD' : ''}`;
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

function clusterRows(config: Config, running: Running, hostAddress: string): string[][] {
  if (!isClustered(config) || running.gossip === undefined) {
    return [['cluster', 'none: a single broker; give -csk=TOKEN to form one']];
  }
  const seed = reachable(config, running.gossip, hostAddress);
  return [
    ['cluster', `node ${config.nodeName}; on the next box, with the same token:`],
    ['', `shoal -nid=NAME -csk=TOKEN -mbs=${seed}`],
  ];
}

function reachable(config: Config, gossip: Endpoint, hostAddress: string): string {
  const { advertise } = config;
  if (advertise !== undefined) return formatEndpoint({ port: gossip.port, ...advertise });
  const address = isUnspecified(gossip.address) ? hostAddress : gossip.address;
  return formatEndpoint({ address, port: gossip.port });
}

function isUnspecified(address: string): boolean {
  return address === '::' || address === '0.0.0.0';
}
