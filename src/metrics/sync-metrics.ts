// The figures of the sync channel in the list of metrics (metric-list.ts): this node's messages to the others, and
// the sums over all peers. Definitions only.

import { counter, gauge } from './metric.ts';

export const syncMetrics = {
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
  delayedMessages: counter(
    'sync_delayed_messages',
    'messages of other nodes that waited here for their turn, because of the work that they cause',
    { sys: 'cluster/sync/delayedMessages' },
  ),
  overloadDroppedMessages: counter(
    'sync_overload_dropped_messages',
    'messages of other nodes that waited for too long or found no room to wait, and were dropped',
    { sys: 'cluster/sync/overloadDroppedMessages' },
  ),
  starvedDroppedMessages: counter(
    'sync_starved_dropped_messages',
    'of these, the ones that waited while this node got less than half of a processor: the box is busy with other programs',
    { sys: 'cluster/sync/starvedDroppedMessages' },
  ),
  multicastDatagrams: counter(
    'sync_multicast_datagrams',
    'datagrams sent by multicast, each once for all nodes on a network',
    { sys: 'cluster/sync/multicastDatagrams' },
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

export const peersMetrics = {
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
  skippedMessages: counter(
    'peers_skipped_messages',
    'messages that a peer was not sent because it has no subscriber for them (`-forward=interest`); one for each peer',
    { sys: 'cluster/peers/skippedMessages' },
  ),
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
  missedMessages: counter(
    'peers_missed_messages',
    'messages that left before a peer that had just come online answered on the sync port, and found no room to wait; one for each peer',
    { sys: 'cluster/peers/missedMessages' },
  ),
  lostOutMessages: counter(
    'peers_lost_out_messages',
    'messages of this node that never arrived at a peer, as the peer reports; one for each peer',
    { sys: 'cluster/peers/lostOutMessages' },
  ),
  lostOutDatagrams: counter('peers_lost_out_datagrams', 'datagrams in which these were sent', {
    sys: 'cluster/peers/lostOutDatagrams',
  }),
  unpaced: counter(
    'peers_unpaced',
    'times that messages left without waiting for a peer that was silent or slow',
    { sys: 'cluster/peers/unpaced' },
  ),
  multicastFallbacks: counter(
    'peers_multicast_fallbacks',
    'times that a peer got unicast because multicast no longer seemed to reach it',
    { sys: 'cluster/peers/multicastFallbacks' },
  ),
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
