// Options of the cluster: gossip (which nodes are there) and sync (messages between nodes).

import { TIMING_PRESETS, type Timing } from '../swim/timing.ts';
import {
  DATAGRAM_BYTES_DEFAULT,
  DATAGRAM_BYTES_MAX,
  DATAGRAM_BYTES_MIN,
  LARGE_BYTES_MAX,
  PUBLISH_BYTES_MAX,
} from '../sync/limits.ts';
import { type DefaultContext, option } from './option.ts';
import {
  advertisedAddress,
  bytesOrOff,
  choice,
  count,
  countOrAuto,
  hostPorts,
  limit,
  list,
  milliseconds,
  name,
  networkAddress,
  onOff,
  path,
  port,
  seconds,
  secrets,
  topicFilters,
} from './value-types.ts';

/** Default of -crp, and of a member of -mbs that is written without a port. */
export const GOSSIP_PORT = 7946;

function presetTimes(key: keyof Timing): string {
  return Object.entries(TIMING_PRESETS)
    .map(([name, timing]) => `${timing[key]}ms (${name})`)
    .join(', ');
}

export const clusterOptions = {
  tokens: option({
    flag: 'csk',
    group: 'Cluster',
    type: secrets('token'),
    fallback: undefined,
    help: 'cluster token, the same on every node; of new,old the first signs and both are accepted',
    reload: true,
  }),
  tokenFile: option({
    flag: 'csk-file',
    group: 'Cluster',
    type: path('file'),
    fallback: undefined,
    help: 'file with the cluster token, or with several, one per line',
    reload: true,
  }),
  members: option({
    flag: 'mbs',
    group: 'Cluster',
    type: hostPorts(GOSSIP_PORT),
    fallback: [],
    fallbackText: 'none',
    help: `other nodes, of which one reachable node is enough; their port is ${GOSSIP_PORT} unless given`,
  }),
  beacon: option({
    flag: 'beacon',
    group: 'Cluster',
    type: choice(['auto', 'on', 'off']),
    fallback: 'auto',
    help: 'find the other nodes on the same network by multicast and broadcast; auto: with -csk, and with -mbs once a node is missing',
  }),
  gossipPort: option({
    flag: 'crp',
    group: 'Cluster',
    type: port,
    fallback: GOSSIP_PORT,
    help: 'UDP port of the gossip: which nodes are there',
  }),
  syncPort: option({
    flag: 'csp',
    group: 'Cluster',
    type: port,
    fallback: 7947,
    help: 'UDP port of the messages from node to node',
  }),
  advertise: option({
    flag: 'advertise',
    group: 'Cluster',
    type: advertisedAddress,
    fallback: undefined,
    fallbackText: 'what peers see',
    help: 'address and UDP ports that other nodes use for this one, behind NAT or in a container',
  }),
  clientAddresses: option({
    flag: 'address',
    group: 'Cluster',
    type: list(networkAddress),
    fallback: [],
    fallbackText: 'none',
    help: 'addresses for clients, each of which exactly one online node of those that have this option holds; needs Linux and CAP_NET_ADMIN',
  }),
  addressHook: option({
    flag: 'address-hook',
    group: 'Cluster',
    type: path('file'),
    fallback: undefined,
    fallbackText: 'none: ip',
    help: 'program that takes and releases these addresses, as PROGRAM take 192.168.1.10/24',
  }),
  clusterName: option({
    flag: 'cluster',
    group: 'Cluster',
    type: name(64),
    fallback: 'shoal',
    help: 'cluster name; keeps clusters on the same network apart',
  }),
  encrypt: option({
    flag: 'encrypt',
    group: 'Cluster',
    type: onOff,
    fallback: false,
    help: 'encrypt messages between nodes (AES-256-GCM); the same on every node',
  }),
  forwardedTopics: option({
    flag: 'topics',
    group: 'Cluster',
    type: topicFilters,
    fallback: ['#'],
    help: 'topics that are forwarded to the other nodes',
  }),
  retainedSync: option({
    flag: 'retained-sync',
    group: 'Cluster',
    type: onOff,
    fallback: true,
    help: 'keep retained messages alike on all nodes; the same on every node',
  }),
  forward: option({
    flag: 'forward',
    group: 'Cluster',
    type: choice(['all', 'interest']),
    fallback: 'all',
    help: 'send a message to all other nodes, or only to those that may have a subscriber for it; interest works between nodes that both have it',
  }),
  syncDelivery: option({
    flag: 'sync',
    group: 'Cluster',
    type: choice(['unicast', 'multicast']),
    fallback: 'unicast',
    help: 'how messages go to the other nodes: a datagram to each, or one for all on a network of this machine, which pays from three nodes on; nodes that multicast does not reach get unicast',
  }),
  largeBytes: option({
    flag: 'large',
    group: 'Cluster',
    type: bytesOrOff(PUBLISH_BYTES_MAX + 1, LARGE_BYTES_MAX),
    fallback: 0,
    help: 'forward messages of 4096 bytes and more as well, up to this size, over TLS on the TCP port with the number of -csp; the same on every node',
  }),
  clientTakeover: option({
    flag: 'client-takeover',
    group: 'Cluster',
    type: onOff,
    fallback: true,
    help: 'let a client be connected to one node at a time, and publish the wills of a node that dies; the same on every node',
  }),
  roaming: option({
    flag: 'roaming',
    group: 'Cluster',
    type: onOff,
    fallback: false,
    help: 'let sessions follow their clients: a client that resumes its session on another node finds subscriptions and queued messages there, sent over TLS on the TCP port with the number of -csp; the same on every node',
  }),
  sharedGroups: option({
    flag: 'shared',
    group: 'Cluster',
    type: choice(['node', 'cluster']),
    fallback: 'node',
    help: 'who serves a shared subscription ($share/group/filter): each node by itself, or all nodes together, each message once; the same on every node',
  }),
  tombstoneSeconds: option({
    flag: 'tombstone-time',
    group: 'Cluster',
    type: seconds(60, 31_536_000),
    fallback: 86_400,
    help: 'how long a node may be away without bringing cleared retained messages back',
  }),
  isolatedChecksMax: option({
    flag: 'exit-without-peers',
    group: 'Cluster',
    type: limit(1_000_000),
    fallback: Number.POSITIVE_INFINITY,
    fallbackText: '0 (never)',
    help: 'end with exit code 7 after this many checks in a row, one each 2 s, without another node online, for a supervisor to start the node again; only if one was online before',
  }),
  syncDatagramBytes: option({
    flag: 'datagram',
    group: 'Cluster',
    type: countOrAuto(DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_MAX),
    fallback: 0,
    fallbackText: 'auto',
    help: 'largest datagram of messages, in bytes; auto: what the interface on the path to each node sends whole, and what arrives',
  }),
  syncQueueLength: option({
    flag: 'queue-length',
    group: 'Cluster',
    type: count(1, 1_000_000),
    fallback: 8192,
    help: `datagrams of ${DATAGRAM_BYTES_DEFAULT} bytes, full of messages, that may wait for the network and the other nodes to take them`,
  }),
  syncQueuePolicy: option({
    flag: 'queue-policy',
    group: 'Cluster',
    type: choice(['discard-newest', 'discard-oldest'], {
      '0': 'discard-newest',
      '1': 'discard-oldest',
    }),
    fallback: 'discard-newest',
    help: 'which datagram to drop when that queue is full (0 = discard-newest, 1 = discard-oldest)',
  }),
  profile: option({
    flag: 'profile',
    group: 'Cluster',
    type: choice(['lan', 'wan', 'local']),
    fallback: 'lan',
    help: 'preset of -period and -ping-timeout for the network between the nodes',
  }),
  periodMs: option({
    flag: 'period',
    group: 'Cluster',
    type: milliseconds(100, 60_000),
    fallback: ({ profile }: DefaultContext) => TIMING_PRESETS[profile].periodMs,
    fallbackText: presetTimes('periodMs'),
    help: 'protocol period; a node is offline after three without an answer',
  }),
  pingTimeoutMs: option({
    flag: 'ping-timeout',
    group: 'Cluster',
    type: milliseconds(20, 20_000),
    fallback: ({ profile }: DefaultContext) => TIMING_PRESETS[profile].pingTimeoutMs,
    fallbackText: presetTimes('pingTimeoutMs'),
    help: 'time to wait for an answer before other nodes are asked to try; less than half of -period',
  }),
} as const;
