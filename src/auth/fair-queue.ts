// A line before work that is slow: so many at a time, so many waiting, nobody longer than so long.
// Whoever finds no place is told at once, so that a storm of logins neither takes all of a box's
// processor nor its memory, and nobody's password is checked after its client has given up.
// Invariant: those who ask for much wait for each other; they keep nobody out who asks for little.

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
  begin(): void;
  refuse(error: BusyError): void;
}

export class FairQueue {
  readonly #limits: WorkLineLimits;
  readonly #now: () => number;
  /** Who waits, by whom it is asked for, in the order of their turns; none is empty. */
  readonly #lanes = new Map<string, Waiting[]>();
  #waiting = 0;
  #running = 0;

  /** @param now milliseconds of a clock that never goes back */
  constructor(limits: WorkLineLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Does the work in its turn. Rejects with BusyError, or with what the work rejects with.
   * @param from whom it is for: they take turns
   */
  async run<T>(work: () => Promise<T>, from = ''): Promise<T> {
    if (this.#running >= this.#limits.parallelMax) await this.#waitForTurn(from);
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#passTurnOn();
    }
  }

  #waitForTurn(from: string): Promise<void> {
    if (this.#waiting >= this.#limits.waitingMax) this.#makeRoom(from);
    this.#waiting += 1;
    return new Promise((begin, refuse) => {
      const waiting = { since: this.#now(), begin, refuse };
      const lane = this.#lanes.get(from);
      if (lane === undefined) this.#lanes.set(from, [waiting]);
      else lane.push(waiting);
    });
  }

  /** The last of the longest lane goes, unless the one who comes has as many. */
  #makeRoom(from: string): void {
    let longest = this.#lanes.get(from) ?? [];
    for (const lane of this.#lanes.values()) if (lane.length > longest.length + 1) longest = lane;
    const error = new BusyError('the line is full');
    const last = this.#lanes.get(from) === longest ? undefined : longest.pop();
    if (last === undefined) throw error;
    this.#waiting -= 1;
    last.refuse(error);
  }

  /** The place goes to the next who has not waited too long; it is free where nobody waits. */
  #passTurnOn(): void {
    for (const [from, lane] of this.#lanes) {
      // Behind the others.
      this.#lanes.delete(from);
      const next = lane.shift();
      if (lane.length > 0) this.#lanes.set(from, lane);
      if (next === undefined) continue;
      this.#waiting -= 1;
      if (this.#now() - next.since <= this.#limits.waitMsMax) {
        next.begin();
        return;
      }
      next.refuse(new BusyError('waited too long'));
    }
    this.#running -= 1;
  }
}
