// Rules over several options together. Each rule returns lines for the user, which name the options
// and a remedy. A rule over one option alone is part of its value type.

import { isIP } from 'node:net';
import { formatHostPort, isLoopback, isUnspecified } from '../shared/endpoint.ts';
import { normalAddress } from '../shared/ip-address.ts';
import { timingFault } from '../swim/timing.ts';
import { type Config, isClustered } from './config.ts';
import { estimatedBits, weakTokens } from './token-strength.ts';

/** Of -memory-limit: less is hardly wanted. */
const MEMORY_BYTES_MIN = 1_048_576;

/** Combinations that keep a node from starting. */
export function findConflicts(config: Config): string[] {
  return [
    ...portConflicts(config),
    ...clusterConflicts(config),
    ...timingConflicts(config),
    ...httpConflicts(config),
  ];
}

function httpConflicts({ http, httpCert, httpKey }: Config): string[] {
  if (http === 'off' && httpCert !== undefined) return ['-http-cert needs -http, which is off'];
  if (httpKey !== undefined && httpCert === undefined) return ['-http-key needs -http-cert'];
  return [];
}

/** Combinations that work but are probably a mistake. */
export function findWarnings(config: Config): string[] {
  return [
    ...weakClusterTokens(config),
    ...unreachableMembers(config),
    ...unicastByBind(config),
    ...unusedClusterOptions(config),
    ...unadvertisedSyncPort(config),
    ...unusedTls(config),
    ...unusedOrigins(config),
    ...loweredTopics(config),
    ...possibleCircles(config),
    ...tinyMemoryLimit(config),
  ];
}

/** A size without its unit. */
function tinyMemoryLimit({ memoryBytesMax: bytes }: Config): string[] {
  if (bytes === 0 || bytes >= MEMORY_BYTES_MIN) return [];
  return [
    `-memory-limit=${bytes} is ${bytes} bytes, room for few clients or none: expected a size such as 256M`,
  ];
}

/** What listens on TCP. */
interface TcpPlace {
  /** What asks for the port, and the address: for messages. */
  readonly description: string;
  /** IP literal or host name; undefined = every address of the machine. */
  readonly bind: string | undefined;
  /** 0 = any free port. */
  readonly port: number;
}

/** Checked here because the system's error for the second socket would not name the first. */
function portConflicts(config: Config): string[] {
  const places = tcpPlaces(config);
  return places.flatMap((later, index) =>
    places.slice(0, index).flatMap((earlier) => {
      if (earlier.port !== later.port || later.port === 0) return [];
      if (!areOverlapping(earlier.bind, later.bind)) return [];
      const [one, other] = [earlier.description, later.description];
      return [`${one} and ${other} can't both listen: give one of them another port`];
    }),
  );
}

function tcpPlaces(config: Config): TcpPlace[] {
  const { listeners, http, largeBytes, roaming, bindAddress, syncPort } = config;
  const places = listeners.map(({ place, bind, port }) => tcpPlace(place, bind, port));
  if (isClustered(config) && (largeBytes > 0 || roaming)) {
    const place = `${largeBytes > 0 ? '-large' : '-roaming'} on the port number of -csp`;
    places.push(tcpPlace(place, bindAddress, syncPort));
  }
  // Without -http the node starts even if another program has the default port.
  if (http !== 'off' && !http.isDefault) places.push(tcpPlace('-http', http.host, http.port));
  return places;
}

function tcpPlace(place: string, bind: string | undefined, port: number): TcpPlace {
  return {
    description: `${place} (TCP ${formatHostPort({ host: bind ?? '::', port })})`,
    bind,
    port,
  };
}

/** Whether both can't listen on the same port. An IPv6 socket on `::` accepts IPv4 as well. */
export function areOverlapping(one = '::', other = '::'): boolean {
  if (one === '::' || other === '::') return true;
  const [a, b] = [normalAddress(one) ?? one, normalAddress(other) ?? other];
  if (a === '0.0.0.0' || b === '0.0.0.0') return isIP(a) === isIP(b);
  return a === b;
}

function weakClusterTokens({ tokens = [] }: Config): string[] {
  return weakTokens(tokens).map((position) => {
    const name = tokens.length === 1 ? 'the cluster token' : `cluster token ${position}`;
    const bits = estimatedBits(tokens[position - 1] ?? '');
    return `${name} is weak: about 2^${bits} guesses find it, and anyone who records one datagram can try them; make one with: shoal token make`;
  });
}

function unreachableMembers({ bindAddress: bind, members, beacon }: Config): string[] {
  if (bind === undefined || !isLoopback(bind)) return [];
  if (beacon === 'on') {
    return [`-bind=${bind} is reachable from this machine only: -beacon=on has no effect`];
  }
  const outside = members.filter(({ host }) => !isLoopback(host) && host !== 'localhost');
  if (outside.length === 0) return [];
  const names = outside.map(formatHostPort).join(', ');
  return [`-bind=${bind} is reachable from this machine only: the node can't join ${names}`];
}

/** The system gives a socket that is bound to one address no multicast. */
function unicastByBind(config: Config): string[] {
  const { bindAddress: bind, syncDelivery } = config;
  if (syncDelivery === 'unicast' || !isClustered(config)) return [];
  if (bind === undefined || isUnspecified(bind)) return [];
  return [
    `-bind=${bind} receives no multicast: with -sync=multicast this node sends by multicast, and the other nodes send to it by unicast`,
  ];
}

/** Options that change what crosses between nodes; without a cluster nothing crosses. */
function unusedClusterOptions(config: Config): string[] {
  if (isClustered(config)) return [];
  const { beacon, clientAddresses, encrypt, forward, largeBytes, roaming, sharedGroups } = config;
  return withoutEffect('this node is in no cluster (-csk=TOKEN)', {
    '-address': clientAddresses.length > 0,
    '-beacon=on': beacon === 'on',
    '-encrypt': encrypt,
    '-forward=interest': forward === 'interest',
    '-large': largeBytes > 0,
    '-roaming': roaming,
    '-shared=cluster': sharedGroups === 'cluster',
    '-sync=multicast': config.syncDelivery === 'multicast',
  });
}

/** @param isSet the flags that need what is missing, and whether each of them is given */
function withoutEffect(why: string, isSet: Readonly<Record<string, boolean>>): string[] {
  const given = Object.entries(isSet).flatMap(([flag, is]) => (is ? [flag] : []));
  return given.length === 0 ? [] : [`${why}: ${given.join(', ')} has no effect`];
}

/** Where the gossip port is mapped to another one outside, the sync port usually is, too. */
function unadvertisedSyncPort({ advertise, gossipPort, syncPort }: Config): string[] {
  if (advertise?.gossipPort === undefined || advertise.syncPort !== undefined) return [];
  if (advertise.gossipPort === gossipPort) return [];
  const { address, gossipPort: outside } = advertise;
  const place = formatHostPort({ host: address, port: outside });
  return [
    `-advertise=${place} names the gossip port only: the other nodes send messages to ${address} port ${syncPort}; if that is another port outside, write -advertise=${place},PORT`,
  ];
}

function unusedTls({ listeners, ...config }: Config): string[] {
  if (listeners.some(({ tls }) => tls !== undefined)) return [];
  const { cert, key, ca, crl, clientCertificate, identityAsUsername, tlsVersion } = config;
  return withoutEffect('no listener uses TLS (-tls=PORT, -wss=PORT)', {
    '-cert': cert !== undefined,
    '-key': key !== undefined,
    '-ca': ca !== undefined,
    '-crl': crl !== undefined,
    '-require-certificate': clientCertificate !== 'no',
    '-use-identity-as-username': identityAsUsername,
    '-tls-version': tlsVersion !== '1.2',
  });
}

function loweredTopics({ bridges, dataFolder }: Config): string[] {
  return bridges.flatMap(({ place, options, loweredTopics: topics }) => {
    if (topics.length === 0) return [];
    const why =
      dataFolder === undefined
        ? 'exactly once needs -data=FOLDER'
        : 'exactly once needs one node: run-on = "each" or a name';
    return [
      `${place}: bridge ${options.name} sends ${topics.join(', ')} with QoS 1 instead of 2, so that a restart loses nothing: ${why}`,
    ];
  });
}

function possibleCircles({ bridges }: Config): string[] {
  return bridges.flatMap(({ place, options: { name, version, topics } }) => {
    const both = topics.filter(({ direction }) => direction === 'both');
    if (version === 5 || both.length === 0) return [];
    const patterns = both.map(({ pattern }) => pattern).join(', ');
    return [
      `${place}: bridge ${name} carries ${patterns} both ways with MQTT 3.1.1, which does not say where a message has been: if the far side bridges to this site too, messages go round in a circle; set protocol = "5" where the far side speaks it`,
    ];
  });
}

function unusedOrigins({ listeners, origins }: Config): string[] {
  const isUsed = listeners.some(({ protocol }) => protocol === 'ws' || protocol === 'wss');
  return origins === undefined || isUsed
    ? []
    : ['no listener uses WebSocket (-ws=PORT, -wss=PORT): -ws-origin has no effect'];
}

function clusterConflicts(config: Config): string[] {
  const problems: string[] = [];
  if (config.members.length > 0 && !isClustered(config)) {
    problems.push(
      '-mbs needs the cluster token, the same on every node: -csk=TOKEN or -csk-file=FILE',
    );
  }
  if (config.gossipPort === config.syncPort && config.gossipPort !== 0) {
    problems.push(
      `-crp and -csp are both ${config.gossipPort}: gossip and sync need a UDP port each; change one of them`,
    );
  }
  if (config.forward === 'interest' && config.sharedGroups === 'cluster') {
    problems.push(
      "-forward=interest and -shared=cluster exclude each other: all nodes choose a group's node by the number of a message, and with -forward=interest it has another number for each node; drop one of them",
    );
  }
  if (config.forward === 'interest' && config.syncDelivery === 'multicast') {
    problems.push(
      '-forward=interest and -sync=multicast exclude each other: with interest each node gets datagrams of its own, and multicast sends the same to all; drop one of them',
    );
  }
  if (config.roaming && !config.clientTakeover) {
    problems.push(
      '-roaming needs -client-takeover: nodes find a session by where its client was connected last; leave out -client-takeover=off',
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
  return fault === undefined ? [] : [`-period and -ping-timeout don't fit together: ${fault}`];
}
