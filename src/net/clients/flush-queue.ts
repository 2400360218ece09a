// Decides when connections write what they have gathered: at the end of the turn, those first to which an
// event wrote for few; a message to thousands of connections takes several turns, since each write is a
// system call of some microseconds and nothing else happens meanwhile.
// Invariant: a connection that was added is flushed, after later ones perhaps, but never starved.

import { performance } from 'node:perf_hooks';
import { Fifo } from '../../shared/fifo.ts';

export interface Flushable {
  flush(): void;
}

/** An event that writes to more connections is one that others do not wait for. */
const SMALL_GROUP_MAX = 16;
/** Writes of large groups in one turn of the event loop. */
const LARGE_GROUPS_MS = 2;
/** Writes between two looks at the clock. */
const WRITES_PER_LOOK = 16;

export class FlushQueue {
  /** Of this turn. */
  #small: Flushable[] = [];
  readonly #large = new Fifo<Flushable>();
  #isScheduled = false;
  #turns = 0;

  /** Turns of the event loop so far in which connections wrote. */
  get turns(): number {
    return this.#turns;
  }

  /** Added connections of this turn: to be passed to endGroup(). */
  get size(): number {
    return this.#small.length;
  }

  add(connection: Flushable): void {
    this.#small.push(connection);
    this.#schedule();
  }

  /** An event has ended. @param begin size before it */
  endGroup(begin: number): void {
    if (this.#small.length - begin > SMALL_GROUP_MAX) this.postpone(begin);
  }

  /** What was written since `begin` has waited for its reader or its turn already: it leaves with the large groups. */
  postpone(begin: number): void {
    for (let i = begin; i < this.#small.length; i++) this.#large.push(this.#small[i]!);
    this.#small.length = begin;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    this.#turns += 1;
    const small = this.#small;
    this.#small = [];
    for (const connection of small) connection.flush();
    if (this.#large.size > 0) this.#flushLarge();
  };

  #flushLarge(): void {
    const large = this.#large;
    const until = performance.now() + LARGE_GROUPS_MS;
    do {
      for (let i = Math.min(WRITES_PER_LOOK, large.size); i > 0; i--) large.shift()!.flush();
    } while (large.size > 0 && performance.now() < until);
    if (large.size > 0) this.#schedule();
  }
}

/** Of all connections of the process. */
export const flushQueue = new FlushQueue();
