// Bounds the messages a second towards the far side, so that the queue of a long outage does not flood
// it. A bucket of tokens that holds a tenth of a second's worth.

const BURST_SECONDS = 0.1;

export class Rate {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** @param perSecond Infinity: no bound */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = Math.max(1, perSecond * BURST_SECONDS);
    this.#tokens = this.#burst;
    this.#at = now;
  }

  get isBounded(): boolean {
    return this.#perSecond !== Number.POSITIVE_INFINITY;
  }

  /** Counts a message. @returns false if no further one may be sent before the deadline */
  spend(now: number): boolean {
    this.#refill(now);
    this.#tokens -= 1;
    return this.#tokens >= 1;
  }

  /** When a burst may be sent again. */
  deadline(): number {
    return this.#at + ((this.#burst - this.#tokens) / this.#perSecond) * 1000;
  }

  #refill(now: number): void {
    const earned = ((now - this.#at) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#at = now;
  }
}
