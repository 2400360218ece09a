// Limits how often one log line is repeated, for events that a client, a peer or a stranger can
// cause at any rate. Pure: `now` is an argument, and the caller writes the line itself. Each event
// that can repeat has a key: its text, or text and subject where subjects are few. Usage:
//
//   const count = this.#limiter.admit('login refused', now);
//   if (count > 0) log.warn('login refused', { address, count });
//
// Invariant: at most `keysMax` lines in one interval, and `keysMax` entries, whatever the keys are.
// A fault that lasts, and has a line when it ends, belongs in ongoing-faults.ts.

const INTERVAL_MS = 60_000;
const KEYS_MAX = 256;

interface Entry {
  loggedAt: number;
  /** Occurrences since then that got no line. */
  suppressed: number;
  /** The total that the last line showed. */
  total: number;
}

export class LogLimiter {
  readonly #intervalMs: number;
  readonly #keysMax: number;
  /** In the order of their last lines. */
  readonly #entries = new Map<string, Entry>();

  /** @param intervalMs from one line with a key to the next one with the same key */
  constructor(intervalMs: number = INTERVAL_MS, keysMax: number = KEYS_MAX) {
    this.#intervalMs = intervalMs;
    this.#keysMax = keysMax;
  }

  /**
   * Counts one occurrence.
   * @param now monotonic, in ms
   * @returns 0 where no line may be written now; else how many occurrences the line stands for: this
   *   one and those suppressed since the line before
   */
  admit(key: string, now: number): number {
    const entry = this.#entries.get(key);
    if (entry !== undefined && now - entry.loggedAt < this.#intervalMs) {
      entry.suppressed += 1;
      return 0;
    }
    if (entry === undefined && !this.#makeRoom(now)) return 0;
    this.#entries.delete(key);
    this.#entries.set(key, { loggedAt: now, suppressed: 0, total: 0 });
    return 1 + (entry?.suppressed ?? 0);
  }

  /**
   * For a counter that is kept elsewhere: true where it has grown since its last line and a line may
   * be written. Cheap where it has not grown.
   */
  admitTotal(key: string, total: number, now: number): boolean {
    const entry = this.#entries.get(key);
    if (total === (entry?.total ?? 0)) return false;
    if (entry !== undefined && now - entry.loggedAt < this.#intervalMs) return false;
    if (entry === undefined && !this.#makeRoom(now)) return false;
    this.#entries.delete(key);
    this.#entries.set(key, { loggedAt: now, suppressed: 0, total });
    return true;
  }

  /** Drops the entry with the oldest line, if its interval is over. */
  #makeRoom(now: number): boolean {
    if (this.#entries.size < this.#keysMax) return true;
    const [oldest] = this.#entries;
    if (oldest === undefined || now - oldest[1].loggedAt < this.#intervalMs) return false;
    this.#entries.delete(oldest[0]);
    return true;
  }
}
