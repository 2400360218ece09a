// Lets one connection be read in each turn of the event loop, however many have sent something: between two of them
// clients are served. Must not know what a request is.
// Invariants: connections are read in the order in which they came; those that were closed meanwhile take no turn.

import { Fifo } from '../shared/fifo.ts';

/** A connection that has bytes for node:http. */
export interface PacedReader {
  readonly destroyed: boolean;
  /** Its turn has come. */
  readSome(): void;
}

export class RequestPace {
  readonly #waiting = new Fifo<PacedReader>();
  #isScheduled = false;

  add(reader: PacedReader): void {
    this.#waiting.push(reader);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#readOne);
  }

  readonly #readOne = (): void => {
    this.#isScheduled = false;
    let next = this.#waiting.shift();
    while (next?.destroyed) next = this.#waiting.shift();
    next?.readSome();
    if (this.#waiting.size > 0) this.#schedule();
  };
}
