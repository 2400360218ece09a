// Faults that last: a line when one begins, the same line each minute while it goes on, and one line
// when all is well again. Pure: `now` is an argument, and the caller writes the lines. Usage:
//
//   if (this.#faults.report(`seed ${host}`, now)) log.warn('cluster seed not resolved', { host });
//   const lastedMs = this.#faults.resolve(`seed ${host}`, now);
//   if (lastedMs !== undefined) log.info('cluster seed resolved', { host, lastedMs });
//
// Invariant: resolve() asks for a line exactly where report() has asked for one before, so every
// warning is lifted and nothing is lifted that was never warned of. Bounded by `keysMax`.

const REPEAT_MS = 60_000;
const KEYS_MAX = 256;

interface Fault {
  readonly since: number;
  loggedAt: number;
}

export class OngoingFaults {
  readonly #repeatMs: number;
  readonly #keysMax: number;
  readonly #faults = new Map<string, Fault>();

  /** @param repeatMs from one line about a fault to the next one */
  constructor(repeatMs: number = REPEAT_MS, keysMax: number = KEYS_MAX) {
    this.#repeatMs = repeatMs;
    this.#keysMax = keysMax;
  }

  /** Faults that last at present. */
  get size(): number {
    return this.#faults.size;
  }

  has(key: string): boolean {
    return this.#faults.has(key);
  }

  /**
   * The fault has begun, or goes on; may be called as often as is convenient.
   * @param now monotonic, in ms
   * @returns true where a line is due
   */
  report(key: string, now: number): boolean {
    const fault = this.#faults.get(key);
    if (fault === undefined) {
      if (this.#faults.size >= this.#keysMax) return false;
      this.#faults.set(key, { since: now, loggedAt: now });
      return true;
    }
    if (now - fault.loggedAt < this.#repeatMs) return false;
    fault.loggedAt = now;
    return true;
  }

  /** @returns how long the fault lasted, in ms, where a line is due; undefined where there was none */
  resolve(key: string, now: number): number | undefined {
    const fault = this.#faults.get(key);
    if (fault === undefined) return undefined;
    this.#faults.delete(key);
    return Math.round(now - fault.since);
  }

  /** Forgets a fault without a line: its subject no longer exists. */
  forget(key: string): void {
    this.#faults.delete(key);
  }
}
