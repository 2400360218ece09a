// Memory for small ranges that belong together: one after another in one allocation. So the packets of one
// turn to one client are mostly one range, and a range that stays keeps no memory of other parts.
// Invariant: bytes once handed out are never used again.

const SLAB_BYTES = 65_536;
/** A range above this part of a slab has an allocation of its own. */
const SMALL_SHARE = 1 / 8;

export class PacketSlab {
  /** Contains the range that was reserved last. */
  buffer: Buffer;
  readonly #slabBytes: number;
  readonly #smallBytesMax: number;
  #current: Buffer;
  #position = 0;

  /** @param slabBytes of one allocation */
  constructor(slabBytes = SLAB_BYTES) {
    this.#slabBytes = slabBytes;
    this.#smallBytesMax = slabBytes * SMALL_SHARE;
    this.buffer = Buffer.allocUnsafeSlow(slabBytes);
    this.#current = this.buffer;
  }

  /** Reserves `bytes` in `this.buffer` and returns their offset. */
  reserve(bytes: number): number {
    if (bytes > this.#smallBytesMax) {
      this.buffer = Buffer.allocUnsafeSlow(bytes);
      return 0;
    }
    if (this.#position + bytes > this.#slabBytes) {
      this.#current = Buffer.allocUnsafeSlow(this.#slabBytes);
      this.#position = 0;
    }
    this.buffer = this.#current;
    const start = this.#position;
    this.#position += bytes;
    return start;
  }

  /** Returns the last `bytes` of the range reserved last, so that the next range follows it. */
  giveBack(bytes: number): void {
    if (this.buffer === this.#current) this.#position -= bytes;
  }
}
