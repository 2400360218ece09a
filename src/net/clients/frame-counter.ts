// Counts the frames of a WebSocket as their bytes arrive (RFC 6455 5.2), also those of which ws reports
// nothing: parts of a message that is not complete, empty ones among them. Knows no MQTT and no sockets.
// Invariant: the count does not depend on where the stream of bytes is cut into chunks.

const MASK_BIT = 0x80;
const MASK_BYTES = 4;
/** Short lengths that announce a longer one, and its bytes. */
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;

export class FrameCounter {
  #next: 'flags' | 'short length' | 'long length' | 'rest' = 'flags';
  /** Bytes of the long length that are still to come, and their value so far. */
  #lengthBytes = 0;
  #length = 0;
  #maskBytes = 0;
  /** Bytes of mask and payload that are still to come. */
  #rest = 0;

  /** @returns how many frames begin in the chunk */
  count(chunk: Buffer): number {
    let frames = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#next === 'rest') {
        at += this.#skip(chunk.length - at);
      } else {
        if (this.#next === 'flags') frames += 1;
        this.#readHeader(chunk[at]!);
        at += 1;
      }
    }
    return frames;
  }

  #skip(bytesMax: number): number {
    const bytes = Math.min(this.#rest, bytesMax);
    this.#rest -= bytes;
    if (this.#rest === 0) this.#next = 'flags';
    return bytes;
  }

  #readHeader(byte: number): void {
    if (this.#next === 'flags') {
      this.#next = 'short length';
    } else if (this.#next === 'short length') {
      this.#maskBytes = byte >= MASK_BIT ? MASK_BYTES : 0;
      this.#readShortLength(byte % MASK_BIT);
    } else {
      this.#length = this.#length * 256 + byte;
      this.#lengthBytes -= 1;
      if (this.#lengthBytes === 0) this.#beginRest(this.#length);
    }
  }

  #readShortLength(length: number): void {
    if (length < LENGTH_IN_2_BYTES) {
      this.#beginRest(length);
      return;
    }
    this.#lengthBytes = length === LENGTH_IN_8_BYTES ? 8 : 2;
    this.#length = 0;
    this.#next = 'long length';
  }

  #beginRest(payloadBytes: number): void {
    this.#rest = this.#maskBytes + payloadBytes;
    this.#next = this.#rest === 0 ? 'flags' : 'rest';
  }
}
