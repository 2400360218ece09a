// Decides when the stream that all peers share may go on, and with which of them. It goes on while there is
// room under way to every peer, so that no kernel buffer overflows and a peer that is slow for a moment
// loses nothing. A peer that the others have to wait for is released for a while: it may lose messages, and
// the others' messages wait for it SLOW_DELAY_MS at most.
// Invariant: a single peer, or peers that are equally slow, are never released: then messages wait at the
// sender, and -queue-policy decides.

import { SLOW_CHECK_MS, SLOW_DELAY_MS } from './limits.ts';
import type { PeerLink } from './peer-link.ts';

/** How often the end of the queue is noted. */
const MARK_MS = 10;

/** The end of the queue at some time. */
interface Mark {
  readonly at: number;
  /** Sequence of the last datagram that waited then. */
  readonly sequence: number;
}

export class Pacer {
  #marks: Mark[] = [];
  /** When the others' waiting was last judged. */
  #periodAt = 0;
  #at = 0;
  /** Peers that others wait for since #at. */
  #awaited: readonly PeerLink[] = [];
  /** How long others have waited for each peer in this period, ms. */
  readonly #awaitedMs = new Map<PeerLink, number>();

  /** True while every peer has room for another datagram. */
  isOpen(links: readonly PeerLink[]): boolean {
    for (const { window } of links) if (!window.isOpen) return false;
    return true;
  }

  /**
   * The end of a turn, after what could leave has left.
   * @param sequence of the last datagram that has left
   * @param queued datagrams that wait
   * @returns true if a peer is released now
   */
  turnEnded(links: readonly PeerLink[], sequence: number, queued: number, now: number): boolean {
    for (const { window } of links) window.turnEnded(now);
    if (queued === 0) {
      if (this.#marks.length > 0) this.#reset();
      return false;
    }
    if (this.#marks.length === 0) this.#periodAt = now;
    for (const link of this.#awaited) {
      this.#awaitedMs.set(link, (this.#awaitedMs.get(link) ?? 0) + now - this.#at);
    }
    this.#at = now;
    const full = links.filter(({ window }) => !window.isOpen);
    this.#awaited = full.length < links.length ? full : [];
    const delayMs = this.#delayMs(sequence, queued, now);
    if (now - this.#periodAt < SLOW_CHECK_MS) return false;
    return this.#endPeriod(links, delayMs, now);
  }

  /** How long the datagram that leaves next has waited, to MARK_MS. */
  #delayMs(sequence: number, queued: number, now: number): number {
    const marks = this.#marks;
    const last = marks.at(-1);
    if (last === undefined || now - last.at >= MARK_MS) {
      marks.push({ at: now, sequence: sequence + queued });
    }
    while (marks[0] !== undefined && marks[0].sequence <= sequence) marks.shift();
    return marks[0] === undefined ? 0 : now - marks[0].at;
  }

  #endPeriod(links: readonly PeerLink[], delayMs: number, now: number): boolean {
    const half = (now - this.#periodAt) / 2;
    const slow =
      delayMs < SLOW_DELAY_MS
        ? []
        : links.filter((link) => (this.#awaitedMs.get(link) ?? 0) > half);
    for (const link of slow) link.release(now);
    this.#periodAt = now;
    this.#awaitedMs.clear();
    return slow.length > 0;
  }

  #reset(): void {
    this.#marks = [];
    this.#awaited = [];
    this.#awaitedMs.clear();
  }
}
