// Deliveries in flight by Packet Identifier: an array of slots, the identifier's low bits choose
// the slot, and identifiers are handed out only for free slots. So there is no hashing and, unlike
// with a Map under constant insertion and deletion, nothing for the garbage collector to chase.
// Invariant: no two deliveries share a slot, in this size or any larger one.

import { PACKET_ID_MAX } from '../../mqtt/limits.ts';
import type { Delivery } from './delivery.ts';

const SLOTS_MIN = 16;

export class InflightTable {
  #slots: (Delivery | undefined)[] = new Array<Delivery | undefined>(SLOTS_MIN).fill(undefined);
  #size = 0;
  #lastPacketId = 0;

  get size(): number {
    return this.#size;
  }

  get(packetId: number): Delivery | undefined {
    const delivery = this.#slots[packetId & (this.#slots.length - 1)];
    return delivery?.packetId === packetId ? delivery : undefined;
  }

  /** Gives the delivery the next Packet Identifier that is not in use. There must be one. */
  add(delivery: Delivery): void {
    // Half empty at least, so that a free slot is near.
    if (this.#size * 2 >= this.#slots.length && this.#slots.length <= PACKET_ID_MAX) this.#grow();
    const mask = this.#slots.length - 1;
    let packetId = this.#lastPacketId;
    do {
      packetId = packetId === PACKET_ID_MAX ? 1 : packetId + 1;
    } while (this.#slots[packetId & mask] !== undefined);
    this.#lastPacketId = packetId;
    delivery.packetId = packetId;
    this.#slots[packetId & mask] = delivery;
    this.#size += 1;
  }

  /** Puts back a delivery that had its identifier before a restart. */
  restore(delivery: Delivery): void {
    while (this.#slots[delivery.packetId & (this.#slots.length - 1)] !== undefined) this.#grow();
    this.#slots[delivery.packetId & (this.#slots.length - 1)] = delivery;
    this.#size += 1;
    this.#lastPacketId = delivery.packetId;
  }

  delete(packetId: number): void {
    if (this.get(packetId) === undefined) return;
    this.#slots[packetId & (this.#slots.length - 1)] = undefined;
    this.#size -= 1;
  }

  /** In the order in which they are owed: as sent, or as PUBREC came (see Delivery.order). */
  inOrder(): Delivery[] {
    const found = this.#slots.filter((delivery) => delivery !== undefined);
    return found.sort((a, b) => a.order - b.order);
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Array<Delivery | undefined>(old.length * 2).fill(undefined);
    const mask = this.#slots.length - 1;
    for (const delivery of old) {
      if (delivery !== undefined) this.#slots[delivery.packetId & mask] = delivery;
    }
  }
}
