// Decides which packets of a client wait while the store is busy or full. A change that the store
// would have to record is refused where the protocol has a Reason Code for that; otherwise it waits,
// and nothing more is read from the client.

import type { ConnectPacket } from '../../mqtt/control-decoder.ts';
import { FirstByte, PacketType, PublishFlag, packetTypeOf } from '../../mqtt/packet-type.ts';
import type { BrokerContext } from '../context.ts';
import type { Client } from './client.ts';

/** @param first the packet's first byte */
export function mustWait(first: number, context: BrokerContext, client: Client): boolean {
  const { store, options } = context;
  if (first === FirstByte.subscribe || first === FirstByte.unsubscribe) {
    const mayRecord = client.session?.isPersistent === true;
    return mayRecord && (store.busy || (first === FirstByte.unsubscribe && !store.accepting));
  }
  if (first === FirstByte.pubrel) {
    return !store.accepting && client.session?.isPersistent === true;
  }
  const hasQos = (first & PublishFlag.qosMask) !== 0;
  const isRetained = (first & PublishFlag.retain) !== 0;
  if (packetTypeOf(first) !== PacketType.publish || !(hasQos || isRetained)) return false;
  if (store.congested) return true;
  if (!hasQos) return false;
  const { unfinished } = client.received;
  // MQTT 3 cannot refuse, and a refusal must not overtake messages that wait for the store.
  if (!store.accepting) return client.version !== 5 || client.isLocal || unfinished > 0;
  // A client that sends faster than the disk writes gets its acknowledgements first.
  return unfinished >= options.receiveMaximum;
}

/** @param outlivesConnection the session of this CONNECT is stored, not only its will */
export function mustConnectWait(
  { store }: BrokerContext,
  { will }: ConnectPacket,
  outlivesConnection: boolean,
): boolean {
  return store.busy && (will !== undefined || outlivesConnection);
}
