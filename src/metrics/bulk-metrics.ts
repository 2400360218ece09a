// Metrics of the bulk channel and of what travels on it, with -large and -roaming.

import { counter, gauge } from './metric.ts';

/** With `-large` or `-roaming`: the TLS connections between nodes. */
export const bulkMetrics = {
  connected: gauge('bulk_connected_peers', 'online nodes that large messages reach', {
    sys: 'cluster/bulk/connected',
  }),
  queuedBytes: gauge('bulk_queued_bytes', 'bytes that wait for these connections', {
    sys: 'cluster/bulk/queuedBytes',
    unit: 'bytes',
  }),
  sentMessages: counter('bulk_sent_messages', 'large messages sent, for each node', {
    sys: 'cluster/bulk/sentMessages',
  }),
  skippedMessages: counter(
    'bulk_skipped_messages',
    'large messages that a node has no subscriber for (`-forward=interest`)',
    { sys: 'cluster/bulk/skippedMessages' },
  ),
  receivedMessages: counter('bulk_received_messages', 'large messages received', {
    sys: 'cluster/bulk/receivedMessages',
  }),
  lostMessages: counter(
    'bulk_lost_messages',
    'large messages that a node was not sent: no connection, or it takes them too slowly',
    { sys: 'cluster/bulk/lostMessages' },
  ),
  tooLargeFrames: counter(
    'bulk_too_large',
    'messages of other nodes that are larger than `-large`',
    {
      sys: 'cluster/bulk/tooLarge',
    },
  ),
  malformed: counter('bulk_malformed', 'malformed frames of other nodes', {
    sys: 'cluster/bulk/malformed',
  }),
  refusedConnections: counter(
    'bulk_refused_connections',
    'connections refused: a wrong token, no node that is online, or too many handshakes',
    { sys: 'cluster/bulk/refusedConnections' },
  ),
};

/** With `-roaming`: sessions that follow their clients. */
export const roamingMetrics = {
  underWay: gauge('roaming_under_way', 'sessions that are being looked for or fetched', {
    sys: 'cluster/roaming/underWay',
  }),
  fetched: counter('roaming_fetched', 'sessions fetched from other nodes', {
    sys: 'cluster/roaming/fetched',
  }),
  handedOver: counter('roaming_handed_over', 'sessions that moved to other nodes', {
    sys: 'cluster/roaming/handedOver',
  }),
  failed: counter(
    'roaming_failed',
    'sessions, or their last messages, that did not arrive in time',
    {
      sys: 'cluster/roaming/failed',
    },
  ),
  refused: counter('roaming_refused', 'sessions that stayed: too large, or too many at a time', {
    sys: 'cluster/roaming/refused',
  }),
  malformed: counter('roaming_malformed', 'malformed frames about sessions', {
    sys: 'cluster/roaming/malformed',
  }),
};
