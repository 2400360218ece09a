// Ends our side of connections whose clients have ended theirs, some in each turn of the event loop: closing a
// socket takes Node and the system some 20 microseconds, and thousands of clients may leave in the same moment.
// Invariant: connections are closed in the order in which they were added.

/** A connection whose client sends nothing more. */
export interface HalfClosed {
  /** Ends our side too. */
  close(): void;
}

/** Some 2 ms. */
const CLOSES_PER_TURN = 100;

export class CloseQueue {
  #waiting: HalfClosed[] = [];
  #next = 0;

  add(connection: HalfClosed): void {
    this.#waiting.push(connection);
    if (this.#waiting.length === 1) setImmediate(this.#closeSome);
  }

  readonly #closeSome = (): void => {
    const waiting = this.#waiting;
    const end = Math.min(this.#next + CLOSES_PER_TURN, waiting.length);
    while (this.#next < end) waiting[this.#next++]?.close();
    if (end < waiting.length) {
      setImmediate(this.#closeSome);
      return;
    }
    this.#waiting = [];
    this.#next = 0;
  };
}

/** Of all connections of the process. */
export const closeQueue = new CloseQueue();
