// The nonces that others must echo before we believe that they live now and are no recording. One
// random nonce serves everybody for a while: what it must prove is only that the answer was made
// after it, and each boot is proven once. Knows nothing of messages.

const NONCE_LIFETIME_MS = 30_000;

export class Nonces {
  readonly #random: () => number;
  #current: bigint;
  /** Still good for answers that are on their way when the nonce changes. */
  #previous: bigint;
  #renewAt: number;

  /** @param random must not be predictable, in [0, 1) */
  constructor(random: () => number, now: number) {
    this.#random = random;
    this.#current = this.#fresh();
    this.#previous = this.#fresh();
    this.#renewAt = now + NONCE_LIFETIME_MS;
  }

  current(now: number): bigint {
    this.#renew(now);
    return this.#current;
  }

  isOurs(now: number, echo: bigint): boolean {
    this.#renew(now);
    return echo === this.#current || echo === this.#previous;
  }

  #renew(now: number): void {
    if (now < this.#renewAt) return;
    const isLong = now >= this.#renewAt + NONCE_LIFETIME_MS;
    this.#previous = isLong ? this.#fresh() : this.#current;
    this.#current = this.#fresh();
    this.#renewAt = now + NONCE_LIFETIME_MS;
  }

  #fresh(): bigint {
    const half = (): bigint => BigInt(Math.floor(this.#random() * 0x100000000));
    return (half() << 32n) | half();
  }
}
