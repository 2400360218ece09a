// Every figure that a node publishes about itself: the one source of the topics under $SYS/broker,
// of docs/sys-topics.md, and of what other exports will show. Definitions only; each part of the
// node supplies the values of its group (MetricValues).
// The topics that mosquitto has too keep mosquitto's names and meanings.

import { bridgeMetrics } from './bridge-metrics.ts';
import { bulkMetrics, roamingMetrics } from './bulk-metrics.ts';
import {
  clientDirectoryMetrics,
  clusterMetrics,
  gossipMetrics,
  groupMetrics,
  interestMetrics,
  memberMetrics,
  probeMetrics,
  queryMetrics,
  retainedMetrics,
} from './cluster-metrics.ts';
import {
  addressMetrics,
  beaconMetrics,
  invitationMetrics,
  mdnsMetrics,
} from './discovery-metrics.ts';
import { counter, gauge, histogram, info, type MetricValues } from './metric.ts';
import { peersMetrics, syncMetrics } from './sync-metrics.ts';

const brokerMetrics = {
  version: info('version', 'version of this program', 'version'),
  uptimeSeconds: gauge('uptime_seconds', 'time since the start', {
    sys: 'uptime',
    sysSuffix: ' seconds',
    unit: 'seconds',
  }),
  clientsConnected: gauge('clients_connected', 'clients that are connected', {
    sys: ['clients/connected', 'clients/active'],
  }),
  clientsMaximum: gauge('clients_connected_max', 'most clients that were connected at a time', {
    sys: 'clients/maximum',
  }),
  sessions: gauge('sessions', 'sessions, connected and disconnected', { sys: 'clients/total' }),
  sessionsDisconnected: gauge('sessions_disconnected', 'sessions whose client is disconnected', {
    sys: ['clients/disconnected', 'clients/inactive'],
  }),
  sessionsExpired: counter('sessions_expired', 'sessions that expired while disconnected', {
    sys: 'clients/expired',
  }),
  connectionsRefused: counter('connections_refused', 'connections that were refused', {
    sys: 'clients/refused',
  }),
  clientFaults: counter('client_faults', "connections that ended for a client's protocol error", {
    sys: 'clients/faults',
  }),
  socketsOpened: counter('sockets_opened', 'connections that were accepted', { load: 'sockets' }),
  connectsReceived: counter('connects_received', 'CONNECT packets, refused ones included', {
    load: 'connections',
  }),
  packetsReceived: counter('packets_received', 'packets of every type from clients', {
    sys: 'messages/received',
    load: 'messages/received',
  }),
  packetsSent: counter('packets_sent', 'packets of every type to clients', {
    sys: 'messages/sent',
    load: 'messages/sent',
  }),
  bytesReceived: counter('received_bytes', 'bytes from clients', {
    sys: 'bytes/received',
    unit: 'bytes',
    load: 'bytes/received',
  }),
  bytesSent: counter('sent_bytes', 'bytes to clients', {
    sys: 'bytes/sent',
    unit: 'bytes',
    load: 'bytes/sent',
  }),
  publishReceived: counter('publish_received', 'PUBLISH packets from clients', {
    sys: 'publish/messages/received',
    load: 'publish/received',
  }),
  publishSent: counter('publish_sent', 'PUBLISH packets to clients', {
    sys: 'publish/messages/sent',
    load: 'publish/sent',
  }),
  publishReceivedBytes: counter('publish_received_bytes', 'bytes of PUBLISH packets from clients', {
    sys: 'publish/bytes/received',
    unit: 'bytes',
  }),
  publishSentBytes: counter('publish_sent_bytes', 'bytes of PUBLISH packets to clients', {
    sys: 'publish/bytes/sent',
    unit: 'bytes',
  }),
  messagesDropped: counter(
    'messages_dropped',
    "messages that a client did not get: its queue or the node's memory for queues was full, or it took no more bytes",
    { sys: 'publish/messages/dropped', load: 'publish/dropped' },
  ),
  messagesExpired: counter('messages_expired', 'messages that expired before their client came', {
    sys: 'publish/messages/expired',
  }),
  messagesRepeated: counter(
    'messages_repeated',
    'messages of bridges that had been at this site before, by another bridge or in a circle',
    { sys: 'publish/messages/repeated' },
  ),
  queuedMessages: gauge(
    'queued_messages',
    'messages that wait for clients, or have waited and are in flight',
    { sys: 'queued messages/count' },
  ),
  queuedBytes: gauge(
    'queued_bytes',
    'memory of the messages that wait or are in flight (`-queue-memory`)',
    {
      sys: 'queued messages/bytes',
      unit: 'bytes',
    },
  ),
  memoryBytes: gauge(
    'memory_bytes',
    'memory of everything that clients make the node keep (`-memory-limit`)',
    { sys: 'memory/bytes', unit: 'bytes' },
  ),
  boundsReached: gauge(
    'bounds_reached',
    'bounds that have refused something to a client in the last 90 seconds',
    { sys: 'memory/bounds reached' },
  ),
  retainedMessages: gauge(
    'retained_messages',
    'retained messages; those of this page count too, as in mosquitto',
    { sys: ['retained messages/count', 'messages/stored', 'store/messages/count'] },
  ),
  retainedBytes: gauge('retained_bytes', 'memory of the retained messages', {
    sys: 'store/messages/bytes',
    unit: 'bytes',
  }),
  retainedRefused: counter(
    'retained_refused',
    'retained messages that were not stored because the store was full',
    { sys: 'retained messages/refused' },
  ),
  subscriptions: gauge('subscriptions', 'subscriptions', { sys: 'subscriptions/count' }),
  sharedSubscriptions: gauge('shared_subscriptions', 'shared subscriptions', {
    sys: 'shared_subscriptions/count',
  }),
  subscriptionsRefused: counter(
    'subscriptions_refused',
    'subscriptions that were refused because a bound was reached or the disk took no changes',
    { sys: 'subscriptions/refused' },
  ),
  denied: counter('access_denied', 'publishes, subscriptions and deliveries that the ACL denied', {
    sys: 'access/denied',
  }),
};

const guardMetrics = {
  clientsSlowed: gauge(
    'clients_slowed',
    'clients that a rate has slowed within the last ten seconds',
    { sys: 'guards/clients slowed' },
  ),
  packetsDelayed: counter('packets_delayed', 'packets of clients that had to wait for a rate', {
    sys: 'guards/packets delayed',
  }),
  slowSubscribers: gauge(
    'slow_subscriber_queued_messages',
    'messages in the queue of a connected client, of the twenty with the most bytes',
    { sys: 'guards/slow subscribers/{client}', labels: ['client'] },
  ),
  bans: gauge('bans', 'clients, users and addresses that are banned', { sys: 'guards/bans/count' }),
  bansAdded: counter('bans_added', 'bans since the start', { sys: 'guards/bans/added' }),
  connectionsBanned: counter('connections_banned', 'connections that a ban refused', {
    sys: 'guards/bans/refused',
  }),
};

const processMetrics = {
  heapBytes: gauge(
    'heap_bytes',
    "memory of the program's objects and buffers; the whole process takes more",
    { sys: 'heap/current', unit: 'bytes' },
  ),
  heapBytesMax: gauge('heap_max_bytes', 'the largest of these values so far', {
    sys: 'heap/maximum',
    unit: 'bytes',
  }),
};

const httpMetrics = {
  requests: counter('http_requests', 'requests over HTTP and the control socket', {
    sys: 'http/requests',
  }),
  refused: counter(
    'http_requests_refused',
    'requests over TCP that were refused: no or a wrong token, too many guesses, another site, a wrong host name',
    { sys: 'http/refused/{reason}', labels: ['reason'] },
  ),
  refusedConnections: counter(
    'http_connections_refused',
    'connections over HTTP that were closed because too many were open, or because they asked again before the answer',
    { sys: 'http/refused connections' },
  ),
  failed: counter('http_requests_failed', 'requests that found a fault of this program', {
    sys: 'http/failed',
  }),
  streams: gauge('http_streams', 'streams of events that are open', { sys: 'http/streams' }),
  droppedEvents: counter(
    'http_events_dropped',
    'events that a stream did not get because its reader was too slow',
    { sys: 'http/dropped events' },
  ),
};

const timeMetrics = {
  loopDelay: histogram(
    'event_loop_delay',
    'how late a timer ran, looked at twice a second: how long a message may wait for its turn',
  ),
  rtt: histogram('rtt', 'round trip to a member on the sync port, looked at each second', ['node']),
};

const siteMetrics = {
  verdict: info(
    'verdict',
    'one sentence: whether all boxes are well, or the worst fault and since when',
    'site/verdict',
  ),
  faults: gauge('site_faults', 'faults and warnings of all boxes, as far as this node knows', {
    sys: 'site/faults',
  }),
};

const accessMetrics = {
  accepted: counter('logins_accepted', 'logins that were accepted', { sys: 'access/accepted' }),
  refused: counter('logins_refused', 'logins that were refused', { sys: 'access/refused' }),
  busy: counter(
    'logins_busy',
    'logins refused because too many password checks were waiting, or theirs waited too long',
    { sys: 'access/busy' },
  ),
  reloads: counter('access_reloads', 'times that SIGHUP had the access files read again', {
    sys: 'access/reloads',
  }),
  failedReloads: counter('access_reload_failures', 'access files that were wrong at a SIGHUP', {
    sys: 'access/failed reloads',
  }),
  cacheEvictions: counter(
    'access_cache_evictions',
    'permissions and acceptances removed from full caches, to be computed or asked for again',
    { sys: 'access/cache evictions' },
  ),
};

const listenerMetrics = {
  connections: gauge('connections', 'connections, those included that have not sent a CONNECT', {
    sys: 'listeners/connections',
  }),
  dropped: counter(
    'connections_dropped',
    'connections beyond `-max-connections`, the limit of file descriptors, or those that may wait for `-connect-rate`',
    { sys: 'listeners/dropped' },
  ),
  delayed: counter('connections_delayed', 'connections that had to wait for `-connect-rate`', {
    sys: 'listeners/delayed',
  }),
  failedAccepts: counter('accept_failures', 'connections that the system could not accept', {
    sys: 'listeners/failed accepts',
  }),
  descriptorShortages: counter(
    'descriptor_shortages',
    'checks, one each 2 s, that found no file descriptor left; new connections are then ended at once',
    { sys: 'listeners/descriptor shortages' },
  ),
  failedHandshakes: counter(
    'handshakes_failed',
    'connections that ended before MQTT began: TLS, WebSocket, PROXY header',
    { sys: 'listeners/failed handshakes' },
  ),
  failedReloads: counter(
    'listener_reload_failures',
    'certificates that were wrong, and listeners that could not be opened, at a SIGHUP',
    { sys: 'listeners/failed reloads' },
  ),
  refused: counter(
    'connections_oversized',
    'connections that sent too much before their CONNECT was answered',
    { sys: 'listeners/refused' },
  ),
};

const storageMetrics = {
  writeTime: histogram(
    'storage_write',
    'time to write a batch of changes and to sync it to the disk',
  ),
  accepting: gauge(
    'storage_accepting',
    '1, or 0 while the disk takes nothing ([storage.md](storage.md))',
    { sys: 'storage/accepting' },
  ),
  waitingBytes: gauge('storage_waiting_bytes', 'changes that wait for the disk', {
    sys: 'storage/waiting/bytes',
    unit: 'bytes',
  }),
  logBytes: gauge('storage_log_bytes', 'size of the logs', {
    sys: 'storage/log/bytes',
    unit: 'bytes',
  }),
  snapshotBytes: gauge('storage_snapshot_bytes', 'size of the snapshot', {
    sys: 'storage/snapshot/bytes',
    unit: 'bytes',
  }),
};

const programMetrics = {
  subscriptions: gauge(
    'program_subscriptions',
    'subscriptions of the program that embeds the node',
    {
      sys: 'program/subscriptions',
    },
  ),
  callbackFaults: counter(
    'program_callback_faults',
    'times that a callback of a subscription failed',
    {
      sys: 'program/callback faults',
    },
  ),
  hookFaults: counter(
    'program_hook_faults',
    'times that a hook threw, rejected, answered too late or with a wrong value',
    { sys: 'program/hook faults' },
  ),
};

/** By group: each has one source. A part that the configuration leaves out supplies none. */
export const metricGroups = {
  broker: brokerMetrics,
  guards: guardMetrics,
  bridges: bridgeMetrics,
  process: processMetrics,
  site: siteMetrics,
  access: accessMetrics,
  listeners: listenerMetrics,
  cluster: clusterMetrics,
  members: memberMetrics,
  gossip: gossipMetrics,
  sync: syncMetrics,
  peers: peersMetrics,
  retained: retainedMetrics,
  clients: clientDirectoryMetrics,
  groups: groupMetrics,
  queries: queryMetrics,
  interest: interestMetrics,
  bulk: bulkMetrics,
  address: addressMetrics,
  beacon: beaconMetrics,
  invitations: invitationMetrics,
  mdns: mdnsMetrics,
  roaming: roamingMetrics,
  probes: probeMetrics,
  storage: storageMetrics,
  http: httpMetrics,
  times: timeMetrics,
  program: programMetrics,
} as const;

export type MetricGroupId = keyof typeof metricGroups;

/** What the source of a group supplies at each round. */
export type ValuesOf<Id extends MetricGroupId> = MetricValues<(typeof metricGroups)[Id]>;
