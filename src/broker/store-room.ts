// What a client's packets meet while the store has no room: those that would have to be kept are
// refused where the protocol has a Reason Code for it, and wait where it has none.

import type { ProtocolVersion } from '../mqtt/publish-view.ts';

const PUBREL = 0x62;
const UNSUBSCRIBE = 0xa2;

/** @param first the packet's first byte */
export function mustWaitForRoom(first: number, version: ProtocolVersion): boolean {
  if (first === PUBREL || first === UNSUBSCRIBE) return true;
  // PUBLISH with QoS 1 or 2: before MQTT 5 it can't be refused.
  return version !== 5 && first >> 4 === 3 && (first & 6) !== 0;
}
