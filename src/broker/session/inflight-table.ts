// Deliveries in flight by Packet Identifier: an array of slots, in which the identifier's low bits
// choose the slot and only identifiers of free slots are assigned. This needs no hashing and, unlike a
// Map under constant insertion and deletion, makes no work for the garbage collector.
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

  /** Assigns the next unused Packet Identifier. The caller checks that there is one. */
  add(delivery: Delivery): void {
    // At least half empty, so that a free slot is near.
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

  /** Restores a delivery that has kept its identifier over a restart. */
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

  /** The first one sent of those that are held. */
  oldest(): Delivery | undefined {
    let oldest: Delivery | undefined;
    for (const delivery of this.#slots) {
      if (delivery !== undefined && delivery.order < (oldest?.order ?? Number.POSITIVE_INFINITY)) {
        oldest = delivery;
      }
    }
    return oldest;
  }

  /** In the order in which they are repeated (see Delivery.order). */
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
