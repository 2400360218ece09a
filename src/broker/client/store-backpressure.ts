// Which packets of a client wait while the store is busy or full. What would have to be kept is
// refused where the protocol has a Reason Code for it; it waits where there is none, and the client
// is not read meanwhile.

import { FirstByte, PacketType, PublishFlag, packetTypeOf } from '../../mqtt/packet-type.ts';
import type { Broker } from '../broker.ts';
import type { Client } from './client.ts';

/** @param first the packet's first byte */
export function mustWait(first: number, broker: Broker, client: Client): boolean {
  const { store, options } = broker;
  if (first === FirstByte.pubrel || first === FirstByte.unsubscribe) {
    return !store.accepting && client.session?.saved === true;
  }
  const hasQos = (first & PublishFlag.qosMask) !== 0;
  const isRetained = (first & PublishFlag.retain) !== 0;
  if (packetTypeOf(first) !== PacketType.publish || !(hasQos || isRetained)) return false;
  if (store.congested) return true;
  if (!hasQos) return false;
  // Before MQTT 5 nothing can be refused; and no refusal overtakes what waits for room.
  if (!store.accepting) return client.version !== 5 || client.unfinished > 0;
  // Whoever sends faster than the disk takes it: its acknowledgements leave first.
  return client.unfinished >= options.receiveMaximum;
}
