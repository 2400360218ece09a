// The event loop of a simulation: immediates and timers on a clock that only the test moves. The
// promises of one callback settle before the next callback runs, as in Node, so that a run depends
// only on its seed. A killed process is a loop that turns no more.

import type { Timers } from '../../src/storage/timers.ts';

interface Timer {
  readonly at: number;
  readonly work: () => void;
}

const TURNS_MAX = 100_000;

export class SimulatedLoop implements Timers {
  now = 0;
  #immediates: (() => void)[] = [];
  #timers: Timer[] = [];
  readonly #turnMs: () => number;

  /** @param turnMs how long the next turn takes */
  constructor(turnMs: () => number) {
    this.#turnMs = turnMs;
  }

  setImmediate(work: () => void): void {
    this.#immediates.push(work);
  }

  setTimeout(work: () => void, ms: number): Timer {
    const timer = { at: this.now + Math.max(1, ms), work };
    const later = this.#timers.findIndex(({ at }) => at > timer.at);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  /** Runs due timers, then the immediates that were set before this turn. */
  async turn(): Promise<void> {
    this.now += this.#turnMs();
    const end = this.now;
    for (let due = this.#timers[0]; due !== undefined && due.at <= end; due = this.#timers[0]) {
      this.#timers.shift();
      due.work();
      await settled();
    }
    const immediates = this.#immediates;
    this.#immediates = [];
    for (const work of immediates) {
      work();
      await settled();
    }
    await settled();
  }

  /** Turns the loop until the promise settles. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const end = (): void => {
      isSettled = true;
    };
    promise.then(end, end);
    await settled();
    for (let turn = 0; !isSettled; turn++) {
      if (turn > TURNS_MAX) throw new Error('the promise does not settle');
      await this.turn();
    }
    return promise;
  }
}

/** Resolves when everything has happened that needs no turn of the simulated loop. */
function settled(): Promise<void> {
  return new Promise((go) => setImmediate(go));
}
