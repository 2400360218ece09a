// The receiver's side of one request or reply: puts its parts together, in whatever order they arrive.
// Invariant: the memory is that of the announced size, which the caller has checked.

import type { Part } from './codec.ts';
import { PART_BYTES } from './limits.ts';
import { partsOf } from './outgoing-transfer.ts';

export class IncomingTransfer {
  readonly totalBytes: number;
  readonly #bytes: Buffer;
  readonly #arrived: Uint8Array;
  #missing: number;
  #base = 0;
  #highest = -1;

  constructor(totalBytes: number) {
    this.totalBytes = totalBytes;
    this.#bytes = Buffer.alloc(totalBytes);
    this.#arrived = new Uint8Array(partsOf(totalBytes));
    this.#missing = this.#arrived.length;
  }

  /** Parts below it have all arrived. */
  get base(): number {
    return this.#base;
  }

  /** Index of the last part that has arrived; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  get parts(): number {
    return this.#arrived.length;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  has(index: number): boolean {
    return this.#arrived[index] === 1;
  }

  /** @returns 'known' if it had arrived before, 'malformed' if it does not fit this transfer */
  add({ totalBytes, index, bytes }: Part): 'added' | 'known' | 'malformed' {
    const at = index * PART_BYTES;
    const isFitting = totalBytes === this.totalBytes && index < this.#arrived.length;
    const expected = Math.min(PART_BYTES, this.totalBytes - at);
    if (!isFitting || bytes.length !== expected) return 'malformed';
    if (this.has(index)) return 'known';
    bytes.copy(this.#bytes, at);
    this.#arrived[index] = 1;
    this.#missing -= 1;
    this.#highest = Math.max(this.#highest, index);
    while (this.has(this.#base)) this.#base += 1;
    return 'added';
  }

  /** The whole, once it is complete; belongs to the caller. */
  finish(): Buffer {
    return this.#bytes;
  }
}
