// Room for outgoing packets: many small packets in one allocation, one behind the other, so that
// what a turn writes to one client is mostly one range. Bytes once handed out are never used again.

const SLAB_BYTES = 65_536;
const SMALL_BYTES_MAX = 8_192;

export class PacketSlab {
  /** Where the range reserved last lies. */
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

  /** Gives the last `bytes` of the range reserved last back, so that the next one follows on. */
  giveBack(bytes: number): void {
    if (this.buffer === this.#current) this.#position -= bytes;
  }
}
