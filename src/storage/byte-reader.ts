// Decodes what ByteWriter encodes. Never reads outside the given bytes: it throws a DecodeError, which
// the loader treats as damage.

import { copyBytes } from '../shared/copy-bytes.ts';

const EMPTY = Buffer.alloc(0);

export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export class ByteReader {
  readonly #buffer: Buffer;
  #position: number;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
    this.#position = 0;
  }

  get atEnd(): boolean {
    return this.#position >= this.#buffer.length;
  }

  byte(): number {
    const value = this.#buffer[this.#position];
    if (value === undefined) throw new DecodeError('the record ends too early');
    this.#position += 1;
    return value;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 128;
    }
    if (!Number.isSafeInteger(value)) throw new DecodeError('a number has more than 53 bits');
    return value;
  }

  uint64(): bigint {
    return this.#buffer.readBigUInt64LE(this.#take(8));
  }

  /** A copy, which belongs to the caller. */
  bytes(): Buffer {
    const length = this.varint();
    if (length === 0) return EMPTY;
    const start = this.#take(length);
    const copy = Buffer.allocUnsafe(length);
    copyBytes(copy, 0, this.#buffer, start, this.#position);
    return copy;
  }

  text(): string {
    const start = this.#take(this.varint());
    return this.#buffer.toString('utf8', start, this.#position);
  }

  #take(length: number): number {
    const start = this.#position;
    if (length > this.#buffer.length - start) throw new DecodeError('the record ends too early');
    this.#position = start + length;
    return start;
  }
}
