// Every figure that a node publishes about itself: the one source of the topics under $SYS/broker,
// of docs/sys-topics.md, and of what other exports will show. Definitions only; each part of the
// node supplies the values of its group (MetricValues).
// The topics that mosquitto has too keep mosquitto's names and meanings.

import { counter, gauge, info, type MetricValues } from './metric.ts';

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
  queuedMessages: gauge('queued_messages', 'messages that wait for clients, large ones in flight', {
    sys: 'queued messages/count',
  }),
  queuedBytes: gauge('queued_bytes', 'memory of these messages (`-queue-memory`)', {
    sys: 'queued messages/bytes',
    unit: 'bytes',
  }),
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
    'connections beyond `-max-connections` or the limit of file descriptors',
    { sys: 'listeners/dropped' },
  ),
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

const clusterMetrics = {
  node: info('node', 'name of this node', 'cluster/node'),
  members: gauge(
    'cluster_members',
    'members by state: alive (this node is one of them), suspect, offline, left',
    { sys: 'cluster/members/{state}', labels: ['state'] },
  ),
};

/** Direction `in` is from the member to this node, `out` from this node to the member. */
const memberMetrics = {
  state: info('member_state', 'alive, suspect, offline or left', 'cluster/members/{node}/state', [
    'node',
  ]),
  since: info(
    'member_since',
    'since when it is in this state, by the clock of this node',
    'cluster/members/{node}/since',
    ['node'],
  ),
  address: info('member_address', 'address and gossip port', 'cluster/members/{node}/address', [
    'node',
  ]),
  version: info('member_version', 'version of its program', 'cluster/members/{node}/version', [
    'node',
  ]),
  gossip: info(
    'member_gossip',
    'whether datagrams get through on the gossip port, by direction: ok, failing or unknown',
    'cluster/members/{node}/gossip/{direction}',
    ['node', 'direction'],
  ),
  sync: info(
    'member_sync',
    'whether datagrams get through on the sync port, by direction: ok, failed or unknown',
    'cluster/members/{node}/sync/{direction}',
    ['node', 'direction'],
  ),
  rttSeconds: gauge('member_rtt_seconds', 'round-trip time on the sync port', {
    sys: 'cluster/members/{node}/rtt',
    unit: 'seconds',
    labels: ['node'],
  }),
  sentMessages: counter('member_sent_messages', 'messages sent to the member', {
    sys: 'cluster/members/{node}/sent',
    labels: ['node'],
  }),
  receivedMessages: counter('member_received_messages', 'messages received from the member', {
    sys: 'cluster/members/{node}/received',
    labels: ['node'],
  }),
  lostMessages: gauge(
    'member_lost_messages',
    'messages that never arrived, by direction; out: as the member reports, and, while the direction fails, those that it has not confirmed',
    { sys: 'cluster/members/{node}/lost/{direction}', labels: ['node', 'direction'] },
  ),
  sentPerSecond: gauge('member_sent_rate', 'messages a second sent to the member', {
    sys: 'cluster/members/{node}/rate/sent',
    labels: ['node'],
  }),
  receivedPerSecond: gauge('member_received_rate', 'messages a second received from it', {
    sys: 'cluster/members/{node}/rate/received',
    labels: ['node'],
  }),
  datagramBytes: gauge('member_datagram_bytes', 'largest datagram that reaches the member', {
    sys: 'cluster/members/{node}/datagram',
    unit: 'bytes',
    labels: ['node'],
  }),
};

const gossipMetrics = {
  healthScore: gauge(
    'gossip_health_score',
    'local health: 0 is well, 7 means that this node lacks processor time or is cut off',
    { sys: 'cluster/gossip/healthScore' },
  ),
  voidRounds: counter(
    'gossip_void_rounds',
    'protocol periods that did not count because this node was late itself',
    { sys: 'cluster/gossip/voidRounds' },
  ),
  tableFull: counter('gossip_table_full', 'members that the full member table did not take', {
    sys: 'cluster/gossip/tableFull',
  }),
  received: counter('gossip_received_datagrams', 'datagrams received', {
    sys: 'cluster/gossip/received',
  }),
  receivedBytes: counter('gossip_received_bytes', 'bytes of these datagrams', {
    sys: 'cluster/gossip/receivedBytes',
    unit: 'bytes',
  }),
  sent: counter('gossip_sent_datagrams', 'datagrams sent', { sys: 'cluster/gossip/sent' }),
  sentBytes: counter('gossip_sent_bytes', 'bytes of these datagrams', {
    sys: 'cluster/gossip/sentBytes',
    unit: 'bytes',
  }),
  sendErrors: counter('gossip_send_errors', 'datagrams that the system did not send', {
    sys: 'cluster/gossip/sendErrors',
  }),
  socketErrors: counter('gossip_socket_errors', 'errors that the system reported on the socket', {
    sys: 'cluster/gossip/socketErrors',
  }),
  droppedDatagrams: counter(
    'gossip_dropped_datagrams',
    'datagrams dropped by reason: unknownKey (another token or `-cluster`), wrongMode (another `-encrypt`), badMac, short, tooLong, foreign, malformed (damaged, or not from Shoal), replayed (sent before), own (sent by this node)',
    { sys: 'cluster/gossip/{reason}', labels: ['reason'] },
  ),
  linkFaults: gauge(
    'gossip_link_faults',
    'directions to or from other nodes in which no datagrams get through at present',
    { sys: 'cluster/gossip/linkFaults' },
  ),
  seedFailures: counter('gossip_seed_failures', 'host names of `-mbs` that did not resolve', {
    sys: 'cluster/gossip/seedFailures',
  }),
  addressFailures: counter(
    'gossip_address_failures',
    'times that the system did not list the addresses of this machine',
    { sys: 'cluster/gossip/addressFailures' },
  ),
  unproven: counter('gossip_unproven', 'datagrams of senders whose address was not yet validated', {
    sys: 'cluster/gossip/unproven',
  }),
  challenges: counter('gossip_challenges', 'challenges sent to validate an address', {
    sys: 'cluster/gossip/challenges',
  }),
};

const syncMetrics = {
  forwardedMessages: counter(
    'sync_forwarded_messages',
    'messages sent to the other nodes, each counted once',
    { sys: 'cluster/sync/forwardedMessages' },
  ),
  forwardedBytes: counter('sync_forwarded_bytes', 'bytes of these messages', {
    sys: 'cluster/sync/forwardedBytes',
    unit: 'bytes',
  }),
  tooLargeMessages: counter(
    'sync_too_large_messages',
    'messages of 4096 bytes or more, which stay on this node',
    { sys: 'cluster/sync/tooLargeMessages' },
  ),
  noPeerMessages: counter(
    'sync_no_peer_messages',
    'messages that stay on this node because no other node is online, though others are expected',
    { sys: 'cluster/sync/noPeerMessages' },
  ),
  filteredMessages: counter(
    'sync_filtered_messages',
    'messages that stay on this node because `-topics` does not match',
    { sys: 'cluster/sync/filteredMessages' },
  ),
  queueDroppedMessages: counter(
    'sync_queue_dropped_messages',
    'messages dropped by `-queue-policy` because the send queue was full',
    { sys: 'cluster/sync/queueDroppedMessages' },
  ),
  queuedDatagrams: gauge('sync_queued_datagrams', 'datagrams in the send queue', {
    sys: 'cluster/sync/queuedDatagrams',
  }),
  droppedDatagrams: counter(
    'sync_dropped_datagrams',
    'datagrams dropped by reason, as for gossip, and unknownSender',
    { sys: 'cluster/sync/droppedDatagrams/{reason}', labels: ['reason'] },
  ),
};

const peersMetrics = {
  sentMessages: counter('peers_sent_messages', 'messages sent to all peers together', {
    sys: 'cluster/peers/sentMessages',
  }),
  sentDatagrams: counter('peers_sent_datagrams', 'datagrams sent to all peers together', {
    sys: 'cluster/peers/sentDatagrams',
  }),
  sentBytes: counter('peers_sent_bytes', 'bytes sent to all peers together', {
    sys: 'cluster/peers/sentBytes',
    unit: 'bytes',
  }),
  receivedMessages: counter('peers_received_messages', 'messages received from all peers', {
    sys: 'cluster/peers/receivedMessages',
  }),
  receivedDatagrams: counter('peers_received_datagrams', 'datagrams received from all peers', {
    sys: 'cluster/peers/receivedDatagrams',
  }),
  receivedBytes: counter('peers_received_bytes', 'bytes received from all peers', {
    sys: 'cluster/peers/receivedBytes',
    unit: 'bytes',
  }),
  lostMessages: counter(
    'peers_lost_messages',
    'messages that peers sent to this node and that never arrived',
    { sys: 'cluster/peers/lostMessages' },
  ),
  lostDatagrams: counter('peers_lost_datagrams', 'datagrams in which these were sent', {
    sys: 'cluster/peers/lostDatagrams',
  }),
  lostOutMessages: counter(
    'peers_lost_out_messages',
    'messages of this node that never arrived at a peer, as the peer reports; one for each peer',
    { sys: 'cluster/peers/lostOutMessages' },
  ),
  lostOutDatagrams: counter('peers_lost_out_datagrams', 'datagrams in which these were sent', {
    sys: 'cluster/peers/lostOutDatagrams',
  }),
  sentHeartbeats: counter('peers_sent_heartbeats', 'heartbeats sent on the sync port', {
    sys: 'cluster/peers/sentHeartbeats',
  }),
  receivedHeartbeats: counter('peers_received_heartbeats', 'heartbeats received on the sync port', {
    sys: 'cluster/peers/receivedHeartbeats',
  }),
  lostOutHeartbeats: counter(
    'peers_lost_out_heartbeats',
    'heartbeats of this node that never arrived at a peer',
    { sys: 'cluster/peers/lostOutHeartbeats' },
  ),
  reorderedDatagrams: counter(
    'peers_reordered_datagrams',
    'datagrams that arrived early and were put in order',
    { sys: 'cluster/peers/reorderedDatagrams' },
  ),
  lateDatagrams: counter('peers_late_datagrams', 'datagrams that arrived too late to be used', {
    sys: 'cluster/peers/lateDatagrams',
  }),
  duplicateDatagrams: counter('peers_duplicate_datagrams', 'datagrams that arrived twice', {
    sys: 'cluster/peers/duplicateDatagrams',
  }),
  malformed: counter('peers_malformed_datagrams', 'datagrams that the protocol does not allow', {
    sys: 'cluster/peers/malformed',
  }),
  earlyDropped: counter(
    'peers_early_dropped_datagrams',
    "datagrams dropped because they came before the peer's welcome",
    { sys: 'cluster/peers/earlyDropped' },
  ),
  wrongMode: counter('peers_wrong_mode_datagrams', 'datagrams dropped for another `-encrypt`', {
    sys: 'cluster/peers/wrongMode',
  }),
};

const storageMetrics = {
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

/** By group: each has one source. A part that the configuration leaves out supplies none. */
export const metricGroups = {
  broker: brokerMetrics,
  process: processMetrics,
  access: accessMetrics,
  listeners: listenerMetrics,
  cluster: clusterMetrics,
  members: memberMetrics,
  gossip: gossipMetrics,
  sync: syncMetrics,
  peers: peersMetrics,
  storage: storageMetrics,
} as const;

export type MetricGroupId = keyof typeof metricGroups;

/** What the source of a group supplies at each round. */
export type ValuesOf<Id extends MetricGroupId> = MetricValues<(typeof metricGroups)[Id]>;
