// Lets one request begin in each turn of the event loop, however many arrive at a time: between two of them
// clients are served. Must not know what a request is.
// Invariant: requests begin in the order in which they came; those that wait are bounded by the connections.

export class RequestPace {
  readonly #waiting: (() => void)[] = [];

  /** Resolves in a turn in which no other request begins. */
  turn(): Promise<void> {
    return new Promise((begin) => {
      this.#waiting.push(begin);
      if (this.#waiting.length === 1) this.#schedule();
    });
  }

  #schedule(): void {
    setImmediate(() => {
      this.#waiting[0]?.();
      this.#waiting.shift();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
