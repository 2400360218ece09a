// The sender's side of one request or reply: which parts may be sent now. The receiver decides how many
// (limit) and which again (resend), so that its receive buffer is never asked for more than it holds.

import type { Ack, Part } from './codec.ts';
import { PART_BYTES } from './limits.ts';

const UNSENT = 0;
const SENT = 1;
const ARRIVED = 2;

export class OutgoingTransfer {
  readonly #bytes: Buffer;
  /** State of each part. */
  readonly #parts: Uint8Array;
  #limit: number;
  /** No part below is unsent. */
  #next = 0;
  /** Parts that were sent more than once. */
  resent = 0;

  /** @param limit parts that may be sent at once. @param bytes is kept */
  constructor(bytes: Buffer, limit: number) {
    this.#bytes = bytes;
    this.#parts = new Uint8Array(partsOf(bytes.length));
    this.#limit = limit;
  }

  /** @returns the part to send now, which counts as sent; undefined if none may be sent */
  take(): Part | undefined {
    const parts = this.#parts;
    while (this.#next < parts.length && parts[this.#next] !== UNSENT) this.#next += 1;
    const index = this.#next;
    if (index >= parts.length || index >= this.#limit) return undefined;
    parts[index] = SENT;
    const bytes = this.#bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES);
    return { totalBytes: this.#bytes.length, index, bytes };
  }

  handleAck({ base, limit, resend, has }: Ack): void {
    const parts = this.#parts;
    this.#limit = Math.max(this.#limit, limit);
    for (let index = 0; index < parts.length; index++) {
      if (index < base || has(index)) parts[index] = ARRIVED;
      else if (index < resend) this.#resend(index);
    }
  }

  /** Everything that has not arrived may be sent again. */
  resendAll(): void {
    for (let index = 0; index < this.#parts.length; index++) this.#resend(index);
  }

  get isDone(): boolean {
    return this.#parts.every((state) => state === ARRIVED);
  }

  #resend(index: number): void {
    if (this.#parts[index] !== SENT) return;
    this.#parts[index] = UNSENT;
    this.resent += 1;
    this.#next = Math.min(this.#next, index);
  }
}

/** An empty request or reply has one part too. */
export function partsOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / PART_BYTES));
}
