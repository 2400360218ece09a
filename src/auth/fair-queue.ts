// A bounded queue for slow work, such as password checks: limits concurrency, queue length and waiting
// time. Work that finds no room is refused at once, so that a storm of logins takes neither all of the
// processor nor all memory, and no password is checked after its client has given up.
// Invariant: lanes take turns, so that one with much work delays only itself; lanes of known sources come
// first, and strangers get every fourth turn, so that neither keeps the other out for ever.

import type { Lane } from './known-logins.ts';

export interface FairQueueLimits {
  /** Pieces of work that run at the same time. */
  readonly parallelMax: number;
  readonly waitingMax: number;
  readonly waitMsMax: number;
}

/** After so many turns of known lanes in a row one of a stranger follows. */
const KNOWN_IN_ROW_MAX = 3;

const NO_LANE: Lane = { name: '', isKnown: false };

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
  /** Waiting work by lane, in the order of the lanes' turns; no list is empty. */
  readonly #known = new Map<string, Waiting[]>();
  readonly #strange = new Map<string, Waiting[]>();
  #knownInRow = 0;
  #waiting = 0;
  #running = 0;

  /** @param now monotonic clock, in ms */
  constructor(limits: FairQueueLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Runs the work in its turn. Rejects with BusyError, or as the work does.
   * @param lane whom the work is for; lanes take turns
   */
  async run<T>(work: () => Promise<T>, lane: Lane = NO_LANE): Promise<T> {
    if (this.#running >= this.#limits.parallelMax) await this.#waitForTurn(lane);
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

  #waitForTurn({ name, isKnown }: Lane): Promise<void> {
    const lanes = isKnown ? this.#known : this.#strange;
    if (this.#waiting >= this.#limits.waitingMax) this.#makeRoom(lanes.get(name), isKnown);
    this.#waiting += 1;
    return new Promise((begin, refuse) => {
      const waiting = { since: this.#now(), begin, refuse };
      const queued = lanes.get(name);
      if (queued === undefined) lanes.set(name, [waiting]);
      else queued.push(waiting);
    });
  }

  /**
   * Refuses the newest work of the lane with the most: of the strangers, for a known source; else the
   * caller's, unless another lane of its kind has clearly more.
   */
  #makeRoom(own: Waiting[] | undefined, isKnown: boolean): void {
    const overStrangers = isKnown && this.#strange.size > 0;
    const lanes = isKnown && !overStrangers ? this.#known : this.#strange;
    let longest = overStrangers ? [] : (own ?? []);
    let longestName = '';
    for (const [name, queued] of lanes) {
      if (queued.length <= longest.length + (overStrangers ? 0 : 1)) continue;
      longest = queued;
      longestName = name;
    }
    const error = new BusyError('too many logins are waiting');
    const last = longestName === '' ? undefined : longest.pop();
    if (last === undefined) throw error;
    if (longest.length === 0) lanes.delete(longestName);
    this.#waiting -= 1;
    last.refuse(error);
  }

  /** Begins the next work that has not waited too long; frees the place if there is none. */
  #passTurnOn(): void {
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) {
      this.#waiting -= 1;
      if (this.#now() - next.since <= this.#limits.waitMsMax) {
        next.begin();
        return;
      }
      next.refuse(new BusyError('the login waited too long'));
    }
    this.#running -= 1;
  }

  #takeNext(): Waiting | undefined {
    const isStrangersTurn = this.#strange.size > 0 && this.#knownInRow >= KNOWN_IN_ROW_MAX;
    if (this.#known.size === 0 || isStrangersTurn) {
      this.#knownInRow = 0;
      return takeFrom(this.#strange);
    }
    this.#knownInRow += 1;
    return takeFrom(this.#known);
  }
}

/** The next work of the lane whose turn it is; the lane takes its next turn after all others. */
function takeFrom(lanes: Map<string, Waiting[]>): Waiting | undefined {
  for (const [name, queued] of lanes) {
    lanes.delete(name);
    const next = queued.shift();
    if (queued.length > 0) lanes.set(name, queued);
    if (next !== undefined) return next;
  }
  return undefined;
}
