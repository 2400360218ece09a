// Jobs that would hold up all clients if they were done in one turn of the event loop, such as reads of many connections
// at a time: each turn does what fits into its budget. Knows nothing of the jobs.
// Invariant: jobs are done in the order in which they were added, none in the turn in which it was added.

import { Fifo } from './fifo.ts';

export class TurnQueue {
  readonly #budget: number;
  readonly #waiting = new Fifo<() => number>();
  #isScheduled = false;

  /** @param budget of a turn; the last job may exceed it */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** @param job returns what it has used of the budget */
  add(job: () => number): void {
    this.#waiting.push(job);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#doSome);
  }

  readonly #doSome = (): void => {
    this.#isScheduled = false;
    const waiting = this.#waiting;
    let left = this.#budget;
    for (let due = waiting.size; due > 0 && left > 0; due--) left -= waiting.shift()!();
    if (waiting.size > 0) this.#schedule();
  };
}
