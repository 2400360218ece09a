// A set of Packet Identifiers that is small most of the time: an array while it is small, one bit for each
// identifier beyond. Under constant insertion and deletion a Set would keep the garbage collector busy,
// and a full one would take two megabytes.

import { PACKET_ID_MAX } from '../../mqtt/limits.ts';

const SMALL_MAX = 128;
const BITMAP_BYTES = (PACKET_ID_MAX + 1) / 8;

export class PacketIdSet {
  #small: number[] = [];
  #bitmap: Uint8Array | undefined;
  /** Identifiers in the bitmap. */
  #large = 0;

  get size(): number {
    return this.#bitmap === undefined ? this.#small.length : this.#large;
  }

  /** Memory beyond that of a small set. */
  get bytes(): number {
    return this.#bitmap === undefined ? 0 : BITMAP_BYTES;
  }

  has(packetId: number): boolean {
    const bits = this.#bitmap;
    if (bits === undefined) return this.#small.includes(packetId);
    return (bits[packetId >> 3]! & (1 << (packetId & 7))) !== 0;
  }

  add(packetId: number): void {
    if (this.has(packetId)) return;
    if (this.#bitmap === undefined && this.#small.length < SMALL_MAX) {
      this.#small.push(packetId);
      return;
    }
    this.#bitmap ??= this.#makeBitmap();
    this.#bitmap[packetId >> 3]! |= 1 << (packetId & 7);
    this.#large += 1;
  }

  #makeBitmap(): Uint8Array {
    const bitmap = new Uint8Array(BITMAP_BYTES);
    for (const packetId of this.#small) bitmap[packetId >> 3]! |= 1 << (packetId & 7);
    this.#large = this.#small.length;
    this.#small = [];
    return bitmap;
  }

  toArray(): number[] {
    if (this.#bitmap === undefined) return [...this.#small];
    const found: number[] = [];
    for (let packetId = 1; packetId <= PACKET_ID_MAX; packetId++) {
      if (this.has(packetId)) found.push(packetId);
    }
    return found;
  }

  /** True if the set contained it. */
  delete(packetId: number): boolean {
    if (this.#bitmap !== undefined) return this.#deleteBit(this.#bitmap, packetId);
    const small = this.#small;
    const index = small.indexOf(packetId);
    if (index === -1) return false;
    const last = small.pop()!;
    if (index < small.length) small[index] = last;
    return true;
  }

  #deleteBit(bitmap: Uint8Array, packetId: number): boolean {
    if (!this.has(packetId)) return false;
    bitmap[packetId >> 3]! &= ~(1 << (packetId & 7));
    this.#large -= 1;
    if (this.#large === 0) this.#bitmap = undefined;
    return true;
  }
}
