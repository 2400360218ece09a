// Keeps calls of the program out of the core while the core waits for an answer of the program: a hook
// may publish, subscribe or close, and the core is in the middle of an event then.

export class CallGuard {
  #depth = 0;

  /** True while the core waits for a hook or for the log. */
  get isInside(): boolean {
    return this.#depth > 0;
  }

  /** Calls the program on behalf of the core. */
  within<T>(call: () => T): T {
    this.#depth += 1;
    try {
      return call();
    } finally {
      this.#depth -= 1;
    }
  }

  /** Does the work now, or as soon as the core is done with the event at hand. */
  run(work: () => void): void {
    if (this.isInside) queueMicrotask(work);
    else work();
  }
}
