// A line before work that is slow: so many at a time, so many waiting, nobody longer than so long.
// Whoever finds no place is told at once, so that a storm of logins neither takes all of a box's
// processor nor its memory, and nobody's password is checked after its client has given up.

export interface WorkLineLimits {
  /** Pieces of work at the same time. */
  readonly parallelMax: number;
  readonly waitingMax: number;
  readonly waitMsMax: number;
}

/** There is no place in the line, or the turn came too late. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

interface Waiting {
  readonly since: number;
  begin(isTooLate: boolean): void;
}

export class WorkLine {
  readonly #limits: WorkLineLimits;
  readonly #now: () => number;
  /** A Set, because it takes out its oldest entry cheaply. */
  readonly #waiting = new Set<Waiting>();
  #running = 0;

  /** @param now milliseconds of a clock that never goes back */
  constructor(limits: WorkLineLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Does the work in its turn. Rejects with BusyError, or with what the work rejects with. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limits.parallelMax) await this.#waitForTurn();
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#passTurnOn();
    }
  }

  #waitForTurn(): Promise<void> {
    if (this.#waiting.size >= this.#limits.waitingMax) throw new BusyError('the line is full');
    return new Promise((resolve, reject) => {
      const begin = (isTooLate: boolean): void => {
        if (isTooLate) reject(new BusyError('waited too long'));
        else resolve();
      };
      this.#waiting.add({ since: this.#now(), begin });
    });
  }

  /** The place goes to the next who has not waited too long; it is free where nobody waits. */
  #passTurnOn(): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      const isTooLate = this.#now() - waiting.since > this.#limits.waitMsMax;
      waiting.begin(isTooLate);
      if (!isTooLate) return;
    }
    this.#running -= 1;
  }
}
