// One request of another member: its parts arrive, the node works on it, and the reply is sent as its
// sender asks for it. Has no timer but its lease: the sender repeats what it misses.

import type { Ack, Part } from './codec.ts';
import { IncomingTransfer } from './incoming-transfer.ts';
import { SERVED_LEASE_MS, WINDOW_PARTS_START } from './limits.ts';
import { OutgoingTransfer } from './outgoing-transfer.ts';
import type { ServedKey } from './query-port.ts';

export class Served {
  readonly key: ServedKey;
  readonly #request: IncomingTransfer;
  #reply: OutgoingTransfer | undefined;
  #heardAt: number;

  /** @param requestBytes as its first part announces; the caller has checked it */
  constructor(key: ServedKey, requestBytes: number, now: number) {
    this.key = key;
    this.#request = new IncomingTransfer(requestBytes);
    this.#heardAt = now;
  }

  /** From this time on the reply is no longer wanted, unless the requester is heard before. */
  get deadline(): number {
    return this.#heardAt + SERVED_LEASE_MS;
  }

  get reply(): OutgoingTransfer | undefined {
    return this.#reply;
  }

  /** @returns the request once it is whole, an acknowledgement to send, or 'malformed' */
  handlePart(now: number, part: Part): Buffer | Ack | 'malformed' | undefined {
    this.#heardAt = now;
    const added = this.#request.add(part);
    if (added === 'malformed') return added;
    if (added === 'added' && this.#request.isComplete) return this.#request.finish();
    return this.#reply === undefined ? this.requestAck() : undefined;
  }

  setReply(reply: Buffer): void {
    this.#reply = new OutgoingTransfer(reply, WINDOW_PARTS_START);
  }

  /** @returns the acknowledgement to send while there is no reply: the request has arrived */
  handleReplyAck(now: number, ack: Ack): Ack | undefined {
    this.#heardAt = now;
    if (this.#reply === undefined) return this.requestAck();
    this.#reply.handleAck(ack);
    return undefined;
  }

  /** Never asks for parts again: their sender has a timer. */
  requestAck(): Ack {
    const request = this.#request;
    const { base } = request;
    return {
      base,
      limit: base + WINDOW_PARTS_START,
      resend: 0,
      has: (index) => request.has(index),
    };
  }
}
