// Whether the multicast group reaches one peer (-sync=multicast). A hello through the group that the peer
// answers proves it, for datagrams up to that size. It is taken back when a hello or a data datagram that
// asks for an ack has no answer, and for a while when the peer reports losses: some networks carry
// multicast, but badly (Wi-Fi repeats lost unicast frames only). Then the peer gets unicast.
// Invariant: isUsed is true only while the group reaches the peer, as far as this node can know.

import {
  GROUP_DOUBT_MS,
  GROUP_FAULT_MS,
  GROUP_LOSS_PERIOD_MS,
  GROUP_LOSS_SHARE_MAX,
  GROUP_REST_FIRST_MS,
  GROUP_REST_LONGEST_MS,
} from './limits.ts';
import type { SendWindow } from './send-window.ts';

/** A hello through the group that the peer has answered. */
export interface AnsweredHello {
  /** Size of its datagram. */
  readonly bytes: number;
  readonly sentAt: number;
  /** When the hello after it left; Infinity if there was none. */
  readonly nextAt: number;
}

export class GroupReach {
  /** Data goes to the peer through the group, and not by unicast. Set by Multicast. */
  isUsed = false;
  /** Where the group may reach the peer; undefined if nowhere; empty until moveTo(). */
  #network: string | undefined = '';
  #provenBytes = 0;
  #hasAnswered = false;
  #usedSince = 0;
  /** When the first hello through the group left that has no answer; Infinity if all have one. */
  #askedAt = Number.POSITIVE_INFINITY;
  /** Sequence of the last data datagram before it. */
  #askedSequence = 0;
  /** An answer to an earlier hello proves nothing. */
  #doubtedAt = Number.NEGATIVE_INFINITY;
  /** After losses the group is not used before this time. */
  #restUntil = Number.NEGATIVE_INFINITY;
  #restMs = GROUP_REST_FIRST_MS;
  /** The peer's acks when the present period of counting losses began. */
  #periodAt = 0;
  #periodSequence = 0;
  #periodLost = 0;

  get network(): string | undefined {
    return this.#network;
  }

  /** @returns true if it is another network than before, so that the group is not proven there */
  moveTo(network: string | undefined): boolean {
    if (network === this.#network) return false;
    this.#network = network;
    this.#provenBytes = 0;
    this.#askedAt = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Whether datagrams of this size have been found to arrive. */
  isProven(bytes: number, now: number): boolean {
    return this.#provenBytes >= bytes && now >= this.#restUntil;
  }

  helloSent({ lastSequence }: SendWindow, now: number): void {
    if (this.#askedAt < Number.POSITIVE_INFINITY) return;
    this.#askedAt = now;
    this.#askedSequence = lastSequence;
  }

  /** A late answer proves nothing, but shows that the peer is only busy. @returns true for the first in time */
  answered({ bytes, sentAt, nextAt }: AnsweredHello, window: SendWindow, now: number): boolean {
    this.#askedAt = nextAt;
    this.#askedSequence = window.lastSequence;
    if (sentAt < this.#doubtedAt || now - sentAt >= GROUP_DOUBT_MS) return false;
    const isFirst = !this.#hasAnswered;
    this.#hasAnswered = true;
    this.#provenBytes = bytes;
    return isFirst;
  }

  /**
   * Whether the peer is well, but misses hellos: it has handled what left after the first of them. One that
   * is silent or behind is another fault.
   */
  missesHellos({ ackedSequence, lastSequence }: SendWindow, heardAt: number, now: number): boolean {
    if (now - this.#askedAt < GROUP_FAULT_MS) return false;
    if (ackedSequence < lastSequence) return ackedSequence > this.#askedSequence;
    return heardAt - this.#askedAt >= GROUP_FAULT_MS;
  }

  /** When an answer becomes overdue; Infinity if none is awaited or nothing is proven. */
  doubtAt(window: SendWindow): number {
    if (this.#provenBytes === 0) return Number.POSITIVE_INFINITY;
    if (!this.isUsed) return this.#askedAt + GROUP_DOUBT_MS;
    const dataAskedAt = Math.max(window.unansweredSince, this.#usedSince);
    return Math.min(this.#askedAt, dataAskedAt) + GROUP_DOUBT_MS;
  }

  /** An answer is overdue: the next hello that is answered proves the group anew. */
  doubted(now: number): void {
    this.#doubtedAt = now;
    this.#provenBytes = 0;
    this.isUsed = false;
  }

  /** Data goes through the group from now on. */
  used(window: SendWindow, now: number): void {
    this.isUsed = true;
    this.#usedSince = now;
    this.#beginPeriod(window, now);
  }

  /** An ack has come. @returns true if too much is lost, so that the group is given a rest */
  losesTooMuch(window: SendWindow, now: number): boolean {
    if (!this.isUsed) return false;
    const lost = window.lostDatagrams - this.#periodLost;
    const sent = window.ackedSequence - this.#periodSequence;
    const isFirstAck = this.#periodSequence === 0;
    if (isFirstAck || lost < 2 || lost <= sent * GROUP_LOSS_SHARE_MAX) {
      const isOver = now - this.#periodAt >= GROUP_LOSS_PERIOD_MS;
      if (isFirstAck || lost < 0 || isOver) this.#beginPeriod(window, now);
      return false;
    }
    if (now - this.#restUntil > GROUP_REST_LONGEST_MS) this.#restMs = GROUP_REST_FIRST_MS;
    this.#restUntil = now + this.#restMs;
    this.#restMs = Math.min(this.#restMs * 2, GROUP_REST_LONGEST_MS);
    this.isUsed = false;
    return true;
  }

  #beginPeriod({ ackedSequence, lostDatagrams }: SendWindow, now: number): void {
    this.#periodAt = now;
    this.#periodSequence = ackedSequence;
    this.#periodLost = lostDatagrams;
  }
}
