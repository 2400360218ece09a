// Which packets of a client wait while the store is busy or full. What would have to be kept is
// refused where the protocol has a Reason Code for it; it waits where there is none, and the client
// is not read meanwhile.

import type { Broker } from './broker.ts';
import type { Client } from './client.ts';

const PUBREL = 0x62;
const UNSUBSCRIBE = 0xa2;

/** @param first the packet's first byte */
export function mustWait(first: number, broker: Broker, client: Client): boolean {
  const { accepting } = broker.store;
  if (first === PUBREL || first === UNSUBSCRIBE) return !accepting;
  const isKeptPublish = first >> 4 === 3 && (first & 6) !== 0;
  if (!isKeptPublish) return false;
  // Before MQTT 5 nothing can be refused.
  if (!accepting) return client.version !== 5;
  // Whoever sends faster than the disk takes it: its acknowledgements leave first.
  return client.unfinished >= broker.options.receiveMaximum;
}
