// The clock that versions are taken from: milliseconds that all nodes count alike, although none of
// their wall clocks need be right. A node starts it once and from then on advances it by its own
// monotonic clock; it adopts any higher time that a proven member sends. So both halves of a
// partition count on at the same pace, and the newer of two writes has the higher time. Before it meets the first
// member it may be slow by decades (a box without a battery): it then knows by how much.
// Invariant: now() never goes back. A step of the wall clock changes nothing.

/** 48 bits, as on the wire: some 8,900 years. */
export const CLUSTER_TIME_MAX = 2 ** 48 - 1;

export class ClusterClock {
  /** Cluster time at the monotonic time 0, ms. */
  #offsetMs: number;
  #hasMet = false;
  /** What this clock showed when it met the first member, and how much later that member's was. */
  #slowUntil = 0;
  #slowMs = 0;

  /**
   * @param now monotonic, ms
   * @param start cluster time at `now`, ms: the highest time that is stored, or the wall clock where
   *   that is later and plausible, or 0
   */
  constructor(now: number, start: number) {
    this.#offsetMs = Math.min(Math.max(0, Math.floor(start)), CLUSTER_TIME_MAX) - now;
  }

  /** Cluster time in whole ms. */
  at(now: number): number {
    return Math.min(Math.floor(now + this.#offsetMs), CLUSTER_TIME_MAX);
  }

  /**
   * A write of a member has this time: from now on ours shows at least that. Before the first meet() it does not
   * count, as it does not say what time it is.
   */
  adopt(now: number, time: number): void {
    if (this.#hasMet) this.#raise(now, time);
  }

  /** A member's clock shows `time`. Once the two agree, a clock that falls behind has halted, and was right before. */
  meet(now: number, time: number): void {
    const shown = this.at(now);
    this.#raise(now, time);
    if (this.#hasMet) return;
    this.#hasMet = true;
    this.#slowUntil = shown;
    this.#slowMs = this.at(now) - shown;
  }

  /** @returns what this clock would have shown instead of `time` if it had met the first member before */
  corrected(time: number): number {
    return time <= this.#slowUntil ? time + this.#slowMs : time;
  }

  #raise(now: number, time: number): void {
    if (time <= CLUSTER_TIME_MAX && time > this.at(now)) this.#offsetMs = time - now;
  }
}
