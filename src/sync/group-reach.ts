// Whether the multicast group reaches one peer (-sync=multicast). A hello through the group that the peer
// answers proves it, for datagrams up to that size. It is taken back when a hello or a data datagram that
// asks for an ack has no answer, and for a while when the peer reports losses: some networks carry
// multicast, but badly (Wi-Fi repeats lost unicast frames only). Then the peer gets unicast.
// Invariant: isUsed is true only while the group reaches the peer, as far as this node can know.

import {
  GROUP_DOUBT_MS,
  GROUP_LOSS_PERIOD_MS,
  GROUP_LOSS_SHARE_MAX,
  GROUP_REST_FIRST_MS,
  GROUP_REST_LONGEST_MS,
} from './limits.ts';
import type { SendWindow } from './send-window.ts';

export class GroupReach {
  /** Data goes to the peer through the group, and not by unicast. Set by Multicast. */
  isUsed = false;
  /** Where the group may reach the peer; undefined if nowhere; empty until moveTo(). */
  #network: string | undefined = '';
  #provenBytes = 0;
  #hasAnswered = false;
  #usedSince = 0;
  /** The first hello through the group since the last answer; Infinity if all were answered. */
  #askedAt = Number.POSITIVE_INFINITY;
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

  /** Since when hellos through the group have had no answer; Infinity if none is awaited. */
  get askedAt(): number {
    return this.#askedAt;
  }

  /** Whether datagrams of this size have been found to arrive. */
  isProven(bytes: number, now: number): boolean {
    return this.#provenBytes >= bytes && now >= this.#restUntil;
  }

  helloSent(now: number): void {
    if (this.#askedAt === Number.POSITIVE_INFINITY) this.#askedAt = now;
  }

  /** @param bytes size of the hello's datagram. @returns true for the first answer */
  answered(bytes: number): boolean {
    const isFirst = !this.#hasAnswered;
    this.#hasAnswered = true;
    this.#provenBytes = bytes;
    this.#askedAt = Number.POSITIVE_INFINITY;
    return isFirst;
  }

  /** When an answer becomes overdue; Infinity if none is awaited or nothing is proven. */
  doubtAt(window: SendWindow): number {
    if (this.#provenBytes === 0) return Number.POSITIVE_INFINITY;
    if (!this.isUsed) return this.#askedAt + GROUP_DOUBT_MS;
    const dataAskedAt = Math.max(window.unansweredSince, this.#usedSince);
    return Math.min(this.#askedAt, dataAskedAt) + GROUP_DOUBT_MS;
  }

  /** An answer is overdue: the next hello that is answered proves the group anew. */
  doubted(): void {
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
