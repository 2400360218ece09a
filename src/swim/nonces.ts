// The nonces that a boot must echo to prove that it lives now and is no recording. One random nonce
// serves all other nodes for half a minute: an echo only has to prove that it was made after the
// nonce, and each boot proves itself once. Knows nothing of messages.

const NONCE_LIFETIME_MS = 30_000;

export class Nonces {
  readonly #random: () => number;
  #current: bigint;
  /** Still accepted, for answers that are on their way when the nonce changes. */
  #previous: bigint;
  #renewAt: number;

  /** @param random unpredictable numbers in [0, 1) */
  constructor(random: () => number, now: number) {
    this.#random = random;
    this.#current = this.#newNonce();
    this.#previous = this.#newNonce();
    this.#renewAt = now + NONCE_LIFETIME_MS;
  }

  current(now: number): bigint {
    this.#renew(now);
    return this.#current;
  }

  /** Whether the echo is a nonce of this node from the last 30 to 60 seconds. */
  isCurrent(now: number, echo: bigint): boolean {
    this.#renew(now);
    return echo === this.#current || echo === this.#previous;
  }

  /** A nonce for one exchange, which isCurrent() does not know. */
  unique(): bigint {
    return this.#newNonce();
  }

  #renew(now: number): void {
    if (now < this.#renewAt) return;
    const isExpired = now >= this.#renewAt + NONCE_LIFETIME_MS;
    this.#previous = isExpired ? this.#newNonce() : this.#current;
    this.#current = this.#newNonce();
    this.#renewAt = now + NONCE_LIFETIME_MS;
  }

  #newNonce(): bigint {
    const half = (): bigint => BigInt(Math.floor(this.#random() * 0x100000000));
    return (half() << 32n) | half();
  }
}
