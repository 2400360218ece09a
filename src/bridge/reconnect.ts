// When a bridge tries again, and where: pauses that double, with jitter so that many bridges do not
// return to a restarted server at once, and the addresses in turn.

import type { BridgeAddress } from './options.ts';

/** A connection that lasted this long ends a row of failures. */
const STABLE_MS = 30_000;

export interface ReconnectOptions {
  readonly addresses: readonly BridgeAddress[];
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  readonly roundRobin: boolean;
}

export class Reconnect {
  readonly #options: ReconnectOptions;
  readonly #random: () => number;
  #failures = 0;
  #next = 0;

  /** @param random uniform in [0, 1) */
  constructor(options: ReconnectOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  get address(): BridgeAddress {
    return this.#options.addresses[this.#next]!;
  }

  /** The attempt has failed. @returns the pause before the next one, milliseconds */
  failed(): number {
    this.#advance();
    return this.#pause();
  }

  /** A connection that the far side had accepted has ended. @returns the pause, milliseconds */
  lost(lastedMs: number): number {
    if (this.#options.roundRobin) this.#advance();
    else this.#next = 0;
    if (lastedMs >= STABLE_MS) this.#failures = 0;
    return this.#pause();
  }

  #advance(): void {
    this.#next = (this.#next + 1) % this.#options.addresses.length;
  }

  #pause(): number {
    const { reconnectMinMs, reconnectMaxMs } = this.#options;
    const ms = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return ms * (0.5 + this.#random() / 2);
  }
}
