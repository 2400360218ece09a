// Ends our side of connections whose clients have ended theirs, some in each turn of the event loop: closing a
// socket takes Node and the system some 20 microseconds, and thousands of clients may leave in the same moment.
// Invariant: connections are closed in the order in which they were added.

import { Fifo } from '../../shared/fifo.ts';

/** A connection whose client sends nothing more. */
export interface HalfClosed {
  /** Ends our side too. */
  close(): void;
}

/** Some 2 ms. */
const CLOSES_PER_TURN = 100;

export class CloseQueue {
  readonly #waiting = new Fifo<HalfClosed>();
  #isScheduled = false;

  add(connection: HalfClosed): void {
    this.#waiting.push(connection);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#closeSome);
  }

  readonly #closeSome = (): void => {
    this.#isScheduled = false;
    const waiting = this.#waiting;
    for (let i = Math.min(CLOSES_PER_TURN, waiting.size); i > 0; i--) waiting.shift()!.close();
    if (waiting.size > 0) this.#schedule();
  };
}

/** Of all connections of the process. */
export const closeQueue = new CloseQueue();
