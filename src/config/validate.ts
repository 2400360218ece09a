// What has to hold between several options. Each rule gives a line for the user that names the
// options and what would be right.

import { isIP } from 'node:net';
import { formatEndpoint, formatHostPort, isLoopback } from '../shared/endpoint.ts';
import { normalAddress } from '../shared/ip-address.ts';
import type { ListenerConfig } from '../shared/listener-config.ts';
import { timingFault } from '../swim/timing.ts';
import { type Config, isClustered } from './config.ts';

/** What a node can't start with. */
export function findConflicts(config: Config): string[] {
  return [...portConflicts(config), ...clusterConflicts(config), ...timingConflicts(config)];
}

/** What a node starts with, but hardly anybody can mean. */
export function findOddities(config: Config): string[] {
  return [...lonelyNode(config), ...unusedTls(config), ...unusedOrigins(config)];
}

/** The system would say that the second is in use, and not by whom. */
function portConflicts({ listeners }: Config): string[] {
  return listeners.flatMap((later, index) =>
    listeners.slice(0, index).flatMap((earlier) => {
      if (earlier.port !== later.port || later.port === 0) return [];
      if (!areOverlapping(earlier.bind, later.bind)) return [];
      const [one, other] = [describePlace(earlier), describePlace(later)];
      return [`${one} and ${other} can't both listen: give one of them another port`];
    }),
  );
}

function describePlace({ place, bind = '::', port }: ListenerConfig): string {
  return `${place} (TCP ${formatEndpoint({ address: bind, port })})`;
}

/** `::` takes IPv4 as well. */
function areOverlapping(one = '::', other = '::'): boolean {
  if (one === '::' || other === '::') return true;
  const [a, b] = [normalAddress(one) ?? one, normalAddress(other) ?? other];
  if (a === '0.0.0.0' || b === '0.0.0.0') return isIP(a) === isIP(b);
  return a === b;
}

function lonelyNode({ bindAddress: bind, members }: Config): string[] {
  if (bind === undefined || !isLoopback(bind)) return [];
  const outside = members.filter(({ host }) => !isLoopback(host) && host !== 'localhost');
  if (outside.length === 0) return [];
  const names = outside.map(formatHostPort).join(', ');
  return [`-bind=${bind} reaches this machine alone: this node can't join ${names}`];
}

function unusedTls({ listeners, ...config }: Config): string[] {
  if (listeners.some(({ tls }) => tls !== undefined)) return [];
  const { cert, key, ca, crl, clientCertificate, identityAsUsername, tlsVersion } = config;
  const isGiven = {
    '-cert': cert !== undefined,
    '-key': key !== undefined,
    '-ca': ca !== undefined,
    '-crl': crl !== undefined,
    '-require-certificate': clientCertificate !== 'no',
    '-use-identity-as-username': identityAsUsername,
    '-tls-version': tlsVersion !== '1.2',
  };
  const given = Object.entries(isGiven).flatMap(([flag, is]) => (is ? [flag] : []));
  return given.length === 0
    ? []
    : [`no listener uses TLS (-tls=PORT, -wss=PORT): ${given.join(', ')} changes nothing`];
}

function unusedOrigins({ listeners, origins }: Config): string[] {
  const isUsed = listeners.some(({ protocol }) => protocol === 'ws' || protocol === 'wss');
  return origins === undefined || isUsed
    ? []
    : ['no listener uses WebSocket (-ws=PORT, -wss=PORT): -ws-origin changes nothing'];
}

function clusterConflicts(config: Config): string[] {
  const problems: string[] = [];
  if (config.members.length > 0 && !isClustered(config)) {
    problems.push(
      '-mbs needs -csk: give the cluster token, the same on every node (-csk=TOKEN, SHOAL_CSK or -csk-file=FILE)',
    );
  }
  if (config.gossipPort === config.syncPort && config.gossipPort !== 0) {
    problems.push(
      `-crp and -csp are both ${config.gossipPort}: gossip and sync need a UDP port each`,
    );
  }
  const seen = new Set<string>();
  for (const member of config.members) {
    const address = formatHostPort(member).toLowerCase();
    if (seen.has(address)) problems.push(`-mbs names ${address} twice`);
    seen.add(address);
  }
  return problems;
}

function timingConflicts(config: Config): string[] {
  const fault = timingFault(config);
  return fault === undefined ? [] : [`-period and -ping-timeout don't fit: ${fault}`];
}
