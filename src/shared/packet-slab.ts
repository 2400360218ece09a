// Memory for outgoing packets: many small packets one after another in one allocation, so that the
// packets of one turn to one client are mostly one range.
// Invariant: bytes once handed out are never used again.

const SLAB_BYTES = 65_536;
const SMALL_BYTES_MAX = 8_192;

export class PacketSlab {
  /** Contains the range that was reserved last. */
  buffer: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #current = this.buffer;
  #position = 0;

  /** Reserves `bytes` in `this.buffer` and returns their offset. */
  reserve(bytes: number): number {
    if (bytes > SMALL_BYTES_MAX) {
      this.buffer = Buffer.allocUnsafeSlow(bytes);
      return 0;
    }
    if (this.#position + bytes > SLAB_BYTES) {
      this.#current = Buffer.allocUnsafeSlow(SLAB_BYTES);
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
