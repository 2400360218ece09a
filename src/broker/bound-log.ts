// Log lines about bounds that clients reach: one a minute for each bound while something is refused, and
// one when nothing has been refused for a while. The caller writes the first, because only it knows what
// was refused.
// Invariant: each bound that a line has named gets a line when it is over.

import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';
import type { DeadlineQueue } from './deadline-queue.ts';

/** Without a refusal for this long a bound counts as over, ms. Longer than the limiter's interval. */
const QUIET_MS = 90_000;

interface Refusals {
  readonly bound: string;
  total: number;
  lastAt: number;
}

export class BoundLog {
  readonly #log: Logger;
  readonly #deadlines: DeadlineQueue;
  readonly #limiter = new LogLimiter();
  readonly #faults = new OngoingFaults();
  /** By what is refused, and the bound; of faults that a line has named. */
  readonly #refusals = new Map<string, Refusals>();

  constructor(log: Logger, deadlines: DeadlineQueue) {
    this.#log = log;
    this.#deadlines = deadlines;
  }

  /** Bounds that refuse something at present, as far as the log has named them. */
  get size(): number {
    return this.#faults.size;
  }

  /**
   * Counts a refusal.
   * @param what is refused, as in `retained`
   * @param bound in words, or as its option
   * @returns how many refusals a line about it stands for; 0 where none is due
   */
  admit(what: string, bound: string, now: number): number {
    const key = `${what} ${bound}`;
    const known = this.#refusals.get(key);
    if (known !== undefined) {
      known.total += 1;
      known.lastAt = now;
    }
    const count = this.#limiter.admit(key, now);
    if (count > 0 && known === undefined && this.#faults.report(key, now)) {
      const refusals = { bound, total: count, lastAt: now };
      this.#refusals.set(key, refusals);
      this.#watch(key, what, refusals);
    }
    return count;
  }

  #watch(key: string, what: string, refusals: Refusals): void {
    this.#deadlines.schedule(refusals.lastAt + QUIET_MS, (now) => {
      if (refusals.lastAt + QUIET_MS > now) {
        this.#watch(key, what, refusals);
        return;
      }
      this.#refusals.delete(key);
      const lastedMs = this.#faults.resolve(key, refusals.lastAt);
      const { bound, total } = refusals;
      this.#log.info('a bound is no longer reached', { what, bound, refused: total, lastedMs });
    });
  }
}
