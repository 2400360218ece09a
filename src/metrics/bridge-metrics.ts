// What a node publishes about its bridges, one value for each. Definitions only; src/node/bridges/bridges.ts
// supplies the values.

import { counter, gauge } from './metric.ts';

const labels = ['bridge'] as const;
const at = (topic: string) => ({ sys: `bridges/{bridge}/${topic}`, labels });

export const bridgeMetrics = {
  connected: gauge('bridge_connected', '1 while the far side accepts it, else 0', at('connected')),
  runsHere: gauge('bridge_runs_here', '1, or 0 while another node runs it', at('runs here')),
  queued: gauge('bridge_queued_messages', 'messages that wait for the far side', at('queued')),
  queuedBytes: gauge('bridge_queued_bytes', 'bytes of these messages', {
    ...at('queued/bytes'),
    unit: 'bytes',
  }),
  inflight: gauge(
    'bridge_inflight_messages',
    'messages that were sent and are not acknowledged yet',
    at('inflight'),
  ),
  sent: counter('bridge_sent', 'messages sent to the far side, repetitions too', at('sent')),
  received: counter('bridge_received', 'messages received from the far side', at('received')),
  dropped: counter(
    'bridge_dropped',
    'messages for the far side that were dropped because the queue was full',
    at('dropped'),
  ),
  expired: counter(
    'bridge_expired',
    'messages for the far side that were dropped because they had waited longer than `max-age`',
    at('expired'),
  ),
  unsendable: counter(
    'bridge_unsendable',
    'messages that the far side cannot take: too large, or without a rule for their topic',
    at('unsendable'),
  ),
  refusedFar: counter(
    'bridge_refused_there',
    'messages that the far side has refused',
    at('refused there'),
  ),
  refusedHere: counter(
    'bridge_refused_here',
    'messages of the far side that this node has refused',
    at('refused here'),
  ),
  returned: counter(
    'bridge_returned',
    'messages that the far side has sent back to where they came from',
    at('returned'),
  ),
  connects: counter(
    'bridge_connects',
    'connections that the far side has accepted',
    at('connects'),
  ),
  failures: counter(
    'bridge_connect_failures',
    'attempts to connect that have failed',
    at('connect failures'),
  ),
  sentElsewhere: counter(
    'bridge_sent_elsewhere',
    'messages that this node had collected and another node has sent',
    at('sent elsewhere'),
  ),
};
