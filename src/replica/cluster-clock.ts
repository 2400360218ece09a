// The clock that versions are taken from: milliseconds that all nodes count alike, although none of
// their wall clocks need be right. A node starts it once and from then on advances it by its own
// monotonic clock; it adopts any higher time that a proven member sends. So both halves of a
// partition count on at the same pace, and the newer of two writes has the higher time.
// Invariant: now() never goes back. A step of the wall clock changes nothing.

/** 48 bits, as on the wire: some 8,900 years. */
export const CLUSTER_TIME_MAX = 2 ** 48 - 1;

export class ClusterClock {
  /** Cluster time at the monotonic time 0, ms. */
  #offsetMs: number;

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

  /** A member's clock shows `time`: from now on ours shows at least that. */
  adopt(now: number, time: number): void {
    if (time <= CLUSTER_TIME_MAX && time > this.at(now)) this.#offsetMs = time - now;
  }
}
