// One request of this node, from its first part to the last part of the reply. The side that asked does
// all the waiting and repeating, so that a member that serves has no timer for it; and it says how many
// parts of the reply may come, so that its own receive buffer holds them.
// Invariant: ends after its timeout at the latest, or when the member is silent for SILENT_MS.

import type { Ack, Part } from './codec.ts';
import { IncomingTransfer } from './incoming-transfer.ts';
import {
  PARTS_PER_ACK,
  REORDER_PARTS,
  REPLY_BYTES_MAX,
  RETRY_MS_MAX,
  RETRY_MS_MIN,
  SILENT_MS,
  WINDOW_PARTS_MAX,
  WINDOW_PARTS_MIN,
  WINDOW_PARTS_START,
} from './limits.ts';
import { OutgoingTransfer } from './outgoing-transfer.ts';
import type { QueryFault } from './query-port.ts';

/** An acknowledged round trip takes this many times the usual one at most. */
const RTT_MARGIN = 3;

export type AskedOutcome =
  | { readonly kind: 'replied'; readonly reply: Buffer }
  | { readonly kind: 'failed'; readonly fault: QueryFault };

export class Asked {
  readonly id: number;
  readonly member: bigint;
  readonly request: OutgoingTransfer;
  #reply: IncomingTransfer | undefined;
  /** Parts of the reply up to which the member may send. */
  #limit = 0;
  #window = WINDOW_PARTS_START;
  #sinceAck = 0;
  /** Missing parts are asked for again once in this interval. */
  #resendAt = Number.NEGATIVE_INFINITY;
  readonly #firstRetryMs: number;
  #retryMs: number;
  #retryAt: number;
  #heardAt: number;
  readonly #timeoutAt: number;

  constructor(
    id: number,
    member: bigint,
    request: Buffer,
    times: { readonly now: number; readonly timeoutMs: number; readonly rttMs: number | undefined },
  ) {
    this.id = id;
    this.member = member;
    this.request = new OutgoingTransfer(request, WINDOW_PARTS_START);
    const { now, timeoutMs, rttMs = 0 } = times;
    this.#firstRetryMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN + RTT_MARGIN * rttMs);
    this.#retryMs = this.#firstRetryMs;
    this.#retryAt = now + this.#retryMs;
    this.#heardAt = now;
    this.#timeoutAt = now + timeoutMs;
  }

  get deadline(): number {
    return Math.min(this.#retryAt, this.#timeoutAt, this.#heardAt + SILENT_MS);
  }

  /**
   * Repeats what has no answer.
   * @returns the acknowledgement to send, or how the request ended
   */
  advance(now: number, windowMax: number): Ack | AskedOutcome | undefined {
    if (now >= this.#timeoutAt) return { kind: 'failed', fault: 'timeout' };
    if (now >= this.#heardAt + SILENT_MS) return { kind: 'failed', fault: 'silent' };
    if (now < this.#retryAt) return undefined;
    this.#retryMs = Math.min(RETRY_MS_MAX, 2 * this.#retryMs);
    this.#retryAt = now + this.#retryMs;
    if (this.#reply === undefined && !this.request.isDone) {
      this.request.resendAll();
      return undefined;
    }
    if (this.#reply !== undefined) this.#shrinkWindow();
    return this.#ack(windowMax, true);
  }

  handleRequestAck(now: number, ack: Ack): void {
    this.#heard(now, !this.request.isDone);
    this.request.handleAck(ack);
  }

  /** @returns the acknowledgement to send, how the request ended, or 'malformed' */
  handleReplyPart(
    now: number,
    message: Part,
    windowMax: number,
  ): Ack | AskedOutcome | 'malformed' | undefined {
    if (message.totalBytes > REPLY_BYTES_MAX) return { kind: 'failed', fault: 'tooLarge' };
    this.#reply ??= new IncomingTransfer(message.totalBytes);
    const reply = this.#reply;
    const added = reply.add(message);
    if (added === 'malformed') return 'malformed';
    this.#heard(now, added === 'added');
    if (reply.isComplete) return { kind: 'replied', reply: reply.finish() };
    this.#sinceAck += 1;
    const isGap = reply.highest >= reply.base + REORDER_PARTS && now >= this.#resendAt;
    if (isGap) {
      this.#resendAt = now + this.#firstRetryMs;
      this.#shrinkWindow();
      return this.#ack(windowMax, true);
    }
    // The limit is reached when all that may come has come: without an ack both sides would wait.
    if (this.#sinceAck < PARTS_PER_ACK && reply.base < this.#limit) return undefined;
    this.#window = Math.min(this.#window + 1, WINDOW_PARTS_MAX);
    return this.#ack(windowMax, false);
  }

  #heard(now: number, isProgress: boolean): void {
    this.#heardAt = now;
    if (!isProgress) return;
    this.#retryMs = this.#firstRetryMs;
    this.#retryAt = now + this.#retryMs;
  }

  #shrinkWindow(): void {
    this.#window = Math.max(WINDOW_PARTS_MIN, Math.floor(this.#window / 2));
  }

  /** Before the first part this asks for the reply, which may be lost or not ready. */
  #ack(windowMax: number, isResend: boolean): Ack {
    const reply = this.#reply;
    const base = reply?.base ?? 0;
    this.#sinceAck = 0;
    this.#limit = Math.max(this.#limit, base + Math.min(this.#window, windowMax));
    const resend = isResend ? this.#resendBelow(reply) : 0;
    return { base, limit: this.#limit, resend, has: (index) => reply?.has(index) ?? false };
  }

  /** After a gap: up to the last part that arrived. After silence: all that was sent. */
  #resendBelow(reply: IncomingTransfer | undefined): number {
    if (reply === undefined || reply.highest < reply.base) return this.#limit;
    return this.#retryMs > this.#firstRetryMs ? this.#limit : reply.highest;
  }
}
