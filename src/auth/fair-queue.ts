// A bounded queue for slow work, such as password checks: limits concurrency, queue length and waiting
// time. Work that finds no room is refused at once, so that a storm of logins takes neither all of the
// processor nor all memory, and no password is checked after its client has given up.
// Invariant: sources take turns, so that one with much work delays only itself.

export interface FairQueueLimits {
  /** Pieces of work that run at the same time. */
  readonly parallelMax: number;
  readonly waitingMax: number;
  readonly waitMsMax: number;
}

/** The queue is full, or the work waited too long. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

interface Waiting {
  readonly since: number;
  begin(): void;
  refuse(error: BusyError): void;
}

export class FairQueue {
  readonly #limits: FairQueueLimits;
  readonly #now: () => number;
  /** Waiting work by source, in the order of the sources' turns; no list is empty. */
  readonly #bySource = new Map<string, Waiting[]>();
  #waiting = 0;
  #running = 0;

  /** @param now monotonic clock, in ms */
  constructor(limits: FairQueueLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Runs the work in its turn. Rejects with BusyError, or as the work does.
   * @param source whom the work is for; sources take turns
   */
  async run<T>(work: () => Promise<T>, source = ''): Promise<T> {
    if (this.#running >= this.#limits.parallelMax) await this.#waitForTurn(source);
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#passTurnOn();
    }
  }

  /** Pieces of work that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  #waitForTurn(source: string): Promise<void> {
    if (this.#waiting >= this.#limits.waitingMax) this.#makeRoom(source);
    this.#waiting += 1;
    return new Promise((begin, refuse) => {
      const waiting = { since: this.#now(), begin, refuse };
      const queued = this.#bySource.get(source);
      if (queued === undefined) this.#bySource.set(source, [waiting]);
      else queued.push(waiting);
    });
  }

  /** Refuses the newest work of the source with the most; the caller's, unless another has clearly more. */
  #makeRoom(source: string): void {
    const own = this.#bySource.get(source);
    let longest = own ?? [];
    for (const queued of this.#bySource.values()) {
      if (queued.length > longest.length + 1) longest = queued;
    }
    const error = new BusyError('too many logins are waiting');
    const last = longest === own ? undefined : longest.pop();
    if (last === undefined) throw error;
    this.#waiting -= 1;
    last.refuse(error);
  }

  /** Begins the next work that has not waited too long; frees the place if there is none. */
  #passTurnOn(): void {
    for (const [source, queued] of this.#bySource) {
      // The source takes its next turn after all others.
      this.#bySource.delete(source);
      const next = queued.shift();
      if (queued.length > 0) this.#bySource.set(source, queued);
      if (next === undefined) continue;
      this.#waiting -= 1;
      if (this.#now() - next.since <= this.#limits.waitMsMax) {
        next.begin();
        return;
      }
      next.refuse(new BusyError('the login waited too long'));
    }
    this.#running -= 1;
  }
}
