// HMAC-SHA256 (RFC 2104) from two one-shot hashes over prepared buffers. node:crypto's Hmac makes a
// native object for each message, which takes twice the time and leaves work for the garbage
// collector. Invariant: the key never changes, and calls leave no state in the buffers.

import { hash, timingSafeEqual } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const MESSAGE_BYTES_FIRST = 2048;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

export class Hmac {
  /** The padded key, then the message. */
  #inner: Buffer;
  /** The padded key, then the digest of #inner. */
  readonly #outer: Buffer;
  readonly #digest = Buffer.alloc(DIGEST_BYTES);

  /** @param key at most 64 bytes; copied */
  constructor(key: Buffer) {
    if (key.length > BLOCK_BYTES) throw new Error('the key of an HMAC is longer than a block');
    this.#inner = padded(key, INNER_PAD, MESSAGE_BYTES_FIRST);
    this.#outer = padded(key, OUTER_PAD, DIGEST_BYTES);
  }

  /** Writes the first `bytes` bytes of the MAC of `message[0, end)` behind it. */
  sign(message: Buffer, end: number, bytes: number): void {
    this.#compute(message, end).copy(message, end, 0, bytes);
  }

  /** True if the bytes from `end` on are the beginning of the MAC of `message[0, end)`. Takes constant time. */
  verify(message: Buffer, end: number): boolean {
    const given = message.subarray(end);
    return timingSafeEqual(this.#compute(message, end).subarray(0, given.length), given);
  }

  /** @returns the whole MAC, valid until the next call */
  #compute(message: Buffer, end: number): Buffer {
    if (BLOCK_BYTES + end > this.#inner.length) {
      this.#inner = padded(this.#inner.subarray(0, BLOCK_BYTES), 0, end * 2);
    }
    message.copy(this.#inner, BLOCK_BYTES, 0, end);
    // In 'binary' (Latin-1) each character is one byte, and a string is made faster than a Buffer.
    const innerDigest = hash('sha256', this.#inner.subarray(0, BLOCK_BYTES + end), 'binary');
    this.#outer.write(innerDigest, BLOCK_BYTES, 'binary');
    this.#digest.write(hash('sha256', this.#outer, 'binary'), 'binary');
    return this.#digest;
  }
}

/** @returns one block of `key` and zeros, each byte XORed with `pad`, followed by `room` bytes */
function padded(key: Buffer, pad: number, room: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES + room);
  for (let i = 0; i < BLOCK_BYTES; i++) bytes[i] = (key[i] ?? 0) ^ pad;
  return bytes;
}
