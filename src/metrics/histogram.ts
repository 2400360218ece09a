// Counts of observations by size, as Prometheus has them: each bucket counts what is not larger than its
// bound. Invariant: an observation allocates nothing.

export interface HistogramValue {
  /** Upper bounds, rising; a last bucket without bound follows. */
  readonly bounds: readonly number[];
  /** Observations of each bucket alone; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** From a tenth of a millisecond to ten seconds. */
export const SECONDS_BOUNDS: readonly number[] = [
  0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10,
];

export class Histogram implements HistogramValue {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[] = SECONDS_BOUNDS) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket += 1;
    this.counts[bucket]! += 1;
    this.sum += value;
  }
}
