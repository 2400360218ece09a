// The figures of the cluster in the list of metrics (metric-list.ts): members, gossip, retained messages that
// all nodes hold. Messages between nodes are in sync-metrics.ts. Definitions only.

import { counter, gauge, info } from './metric.ts';

export const clusterMetrics = {
  node: info('node', 'name of this node', 'cluster/node'),
  members: gauge(
    'cluster_members',
    'members by state: alive (this node is one of them), suspect, offline, left',
    { sys: 'cluster/members/{state}', labels: ['state'] },
  ),
};

/** Direction `in` is from the member to this node, `out` from this node to the member. */
export const memberMetrics = {
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
  delivery: info(
    'member_delivery',
    'how messages reach the member: multicast or unicast',
    'cluster/members/{node}/delivery',
    ['node'],
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
  skippedMessages: counter(
    'member_skipped_messages',
    'messages that the member was not sent because it has no subscriber for them',
    { sys: 'cluster/members/{node}/skipped', labels: ['node'] },
  ),
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
  clients: gauge('member_clients', 'clients that are connected to the member', {
    sys: 'cluster/members/{node}/clients',
    labels: ['node'],
  }),
  sessions: gauge('member_sessions', 'sessions of the member, connected and disconnected', {
    sys: 'cluster/members/{node}/sessions',
    labels: ['node'],
  }),
  publishReceivedPerSecond: gauge(
    'member_publish_received_per_second',
    'PUBLISH packets that the member takes from its clients a second',
    { sys: 'cluster/members/{node}/publish/received', labels: ['node'] },
  ),
  publishSentPerSecond: gauge(
    'member_publish_sent_per_second',
    'PUBLISH packets that the member sends to its clients a second',
    { sys: 'cluster/members/{node}/publish/sent', labels: ['node'] },
  ),
  load: gauge(
    'member_load_ratio',
    'share of the time in which the event loop of the member is busy, 0 to 1',
    { sys: 'cluster/members/{node}/load', labels: ['node'] },
  ),
};

export const gossipMetrics = {
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

/** Versions of retained values; see docs/protocol-replication.md. */
export const retainedMetrics = {
  versions: gauge('retained_versions', 'topics with a version, cleared ones included', {
    sys: 'cluster/retained/versions',
  }),
  cleared: gauge('retained_cleared', 'cleared topics that keep their version (`-tombstone-time`)', {
    sys: 'cluster/retained/cleared',
  }),
  differing: gauge(
    'retained_differing_nodes',
    'online nodes whose retained values were not equal to ours at their last ping',
    { sys: 'cluster/retained/differing' },
  ),
  agreedSeconds: gauge(
    'retained_agreed_seconds',
    'time since all online nodes were last known to hold the same retained values',
    { sys: 'cluster/retained/agreedSeconds', unit: 'seconds' },
  ),
  repaired: counter(
    'retained_repaired',
    'retained values, and removals, that this node had missed and was sent again',
    { sys: 'cluster/retained/repaired' },
  ),
  outdated: counter(
    'retained_outdated',
    'retained messages of other nodes that came after a newer one, and were dropped',
    { sys: 'cluster/retained/outdated' },
  ),
  refused: counter('retained_versions_refused', 'topics that found no room for their version', {
    sys: 'cluster/retained/refused',
  }),
  requests: counter('retained_requests', 'requests for what this node had missed', {
    sys: 'cluster/retained/requests',
  }),
  requestsTimedOut: counter('retained_requests_timed_out', 'such requests without an answer', {
    sys: 'cluster/retained/requestsTimedOut',
  }),
  malformed: counter(
    'replication_malformed',
    'messages about replicated values that could not be read, or for a feature that is off here',
    { sys: 'cluster/retained/malformed' },
  ),
};

/** Where clients are connected, on all nodes. */
export const clientDirectoryMetrics = {
  known: gauge('cluster_clients', 'clients that are connected, on all nodes together', {
    sys: 'cluster/clients/known',
  }),
  differing: gauge(
    'cluster_clients_differing_nodes',
    'online nodes that did not know the same clients at their last ping',
    { sys: 'cluster/clients/differing' },
  ),
  takenOver: counter(
    'clients_taken_over',
    'clients that were disconnected here because they connected to another node',
    { sys: 'cluster/clients/takenOver' },
  ),
  willsPublished: counter(
    'cluster_wills_published',
    'wills that this node published for clients of nodes that died',
    { sys: 'cluster/clients/willsPublished' },
  ),
  willsTooLarge: counter(
    'cluster_wills_too_large',
    'wills that are too large to be known to other nodes, and are lost if this node dies',
    { sys: 'cluster/clients/willsTooLarge' },
  ),
  mended: counter(
    'cluster_wills_mended',
    'retained messages published again because another node had published the will of a client that is connected here',
    { sys: 'cluster/clients/mended' },
  ),
  refused: counter(
    'cluster_clients_refused',
    'clients that other nodes do not know: no room, or the client identifier is too long',
    { sys: 'cluster/clients/refused' },
  ),
};

/** Shared groups that all nodes serve together (`-shared=cluster`). */
export const groupMetrics = {
  known: gauge('cluster_groups', 'shared groups with members on any node', {
    sys: 'cluster/groups/known',
  }),
  members: gauge('cluster_groups_members', 'members of these groups that are connected', {
    sys: 'cluster/groups/members',
  }),
  differing: gauge(
    'cluster_groups_differing_nodes',
    'online nodes that did not know the same members at their last ping',
    { sys: 'cluster/groups/differing' },
  ),
  leftToOthers: counter(
    'cluster_groups_left_to_others',
    'messages of a shared group with members on this node that another node serves',
    { sys: 'cluster/groups/leftToOthers' },
  ),
  refused: counter(
    'cluster_groups_refused',
    'times that other nodes could not be given the members of a group: no room, or its filter is too long',
    { sys: 'cluster/groups/refused' },
  ),
};

export const queryMetrics = {
  asked: counter('queries_asked', 'requests to other nodes', { sys: 'cluster/queries/asked' }),
  replied: counter('queries_replied', 'requests to other nodes that were answered', {
    sys: 'cluster/queries/replied',
  }),
  failed: counter(
    'queries_failed',
    'requests to other nodes without an answer, by reason: offline, silent, timeout, busy (here), refused (there), tooLarge',
    { sys: 'cluster/queries/failed/{reason}', labels: ['reason'] },
  ),
  served: counter('queries_served', 'requests of other nodes that were accepted', {
    sys: 'cluster/queries/served',
  }),
  refused: counter('queries_refused', 'requests of other nodes that were too many at a time', {
    sys: 'cluster/queries/refused',
  }),
  abandoned: counter('queries_abandoned', 'replies that the other node did not fetch', {
    sys: 'cluster/queries/abandoned',
  }),
  resentParts: counter('queries_resent_parts', 'datagrams of requests and replies sent again', {
    sys: 'cluster/queries/resentParts',
  }),
  malformed: counter('queries_malformed', 'datagrams about requests that are malformed', {
    sys: 'cluster/queries/malformed',
  }),
};

/** With `-forward=interest`: what nodes subscribe to. */
export const interestMetrics = {
  filters: gauge('interest_filters', 'topic filters that this node announces, joined', {
    sys: 'cluster/interest/filters',
  }),
  announcements: counter('interest_announcements', 'times that they changed', {
    sys: 'cluster/interest/announcements',
  }),
  knownNodes: gauge(
    'interest_known_nodes',
    'online nodes whose filters are known here; the others are sent everything',
    { sys: 'cluster/interest/knownNodes' },
  ),
  differing: gauge(
    'interest_differing_nodes',
    'online nodes that did not know the same filters at their last ping',
    { sys: 'cluster/interest/differing' },
  ),
};

export const probeMetrics = {
  answered: counter('probes_answered', 'probes and questions of other nodes that were answered', {
    sys: 'cluster/probes/answered',
  }),
  dropped: counter(
    'probes_dropped',
    'probes that were dropped: a wrong proof, malformed, too many a second, or an answer that came too late',
    { sys: 'cluster/probes/dropped' },
  ),
};
