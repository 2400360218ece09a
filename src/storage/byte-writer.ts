// Appends numbers, texts and bytes to a buffer that grows on demand. Does not know records.

const CAPACITY_MIN = 4096;

export class ByteWriter {
  /** The first `length` bytes are written. */
  buffer: Buffer;
  length = 0;

  constructor(buffer: Buffer = Buffer.allocUnsafeSlow(CAPACITY_MIN)) {
    this.buffer = buffer;
  }

  /** Ensures room for `bytes` more bytes. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  /** Seven bits per byte, least significant first. @param value an integer from 0 to 2^53 - 1 */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest > 0x7fffffff) {
      this.buffer[this.length++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.buffer[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[this.length++] = rest;
  }

  uint64(value: bigint): void {
    this.reserve(8);
    this.length = this.buffer.writeBigUInt64LE(value, this.length);
  }

  /** The length in bytes, then the bytes. */
  bytes(value: Buffer): void {
    this.varint(value.length);
    this.reserve(value.length);
    value.copy(this.buffer, this.length);
    this.length += value.length;
  }

  /** The length in bytes, then the text in UTF-8. */
  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.varint(bytes);
    this.reserve(bytes);
    this.length += this.buffer.write(value, this.length, bytes, 'utf8');
  }
}
