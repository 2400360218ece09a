// Counts latencies in buckets whose width grows with the value: each percentile is exact to 2 %, and the
// memory is the same for any number of messages.

const BUCKETS_PER_DOUBLING = 36;
/** The lowest bucket ends here, in ms. */
const SMALLEST_MS = 0.001;

export class LatencyHistogram {
  readonly #counts: number[] = [];
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  add(ms: number): void {
    const doublings = Math.log2(Math.max(SMALLEST_MS, ms) / SMALLEST_MS);
    const bucket = Math.floor(doublings * BUCKETS_PER_DOUBLING);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** @param share 0.99 for the 99th percentile. @returns ms; 0 if nothing was added */
  percentile(share: number): number {
    let left = Math.max(1, Math.ceil(share * this.#count));
    for (const [bucket, count = 0] of this.#counts.entries()) {
      left -= count;
      if (left > 0) continue;
      return Math.min(this.#maxMs, SMALLEST_MS * 2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING));
    }
    return 0;
  }
}
