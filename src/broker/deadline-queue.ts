// What the core has to do at a later time: a binary heap over an injected clock. Keep alives, expiries
// and delays are deadlines here, so the runtime needs one timer for any number of connections.

export interface Deadline {
  /** Milliseconds of the core's clock. */
  at: number;
  run: (now: number) => void;
  cancelled: boolean;
}

export class DeadlineQueue {
  readonly #heap: Deadline[] = [];
  #cancelled = 0;
  /** Called when a new deadline is earlier than all others: the runtime sets its timer anew. */
  onEarlier: ((at: number) => void) | undefined;

  /** Time of the earliest deadline, milliseconds; Infinity without any. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** @param run called once, at the first advance() at or after `at` */
  schedule(at: number, run: (now: number) => void): Deadline {
    const deadline: Deadline = { at, run, cancelled: false };
    this.#push(deadline);
    return deadline;
  }

  cancel(deadline: Deadline | undefined): void {
    if (deadline === undefined || deadline.cancelled) return;
    deadline.cancelled = true;
    // It may stay in the heap for long, and must not keep its connection alive.
    deadline.run = nothing;
    this.#cancelled += 1;
    // The deadlines of short-lived connections must not fill memory until they come due.
    if (this.#cancelled > 64 && this.#cancelled > this.#heap.length / 2) this.#sweep();
  }

  /**
   * Runs the deadlines that are due at `now`, earliest first.
   * @param mayContinue asked before each; what is left when it returns false stays due
   */
  advance(now: number, mayContinue: () => boolean = () => true): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.at > now || !mayContinue()) return;
      this.#pop();
      if (first.cancelled) {
        this.#cancelled -= 1;
        continue;
      }
      // A later cancel() of this deadline must not count: it is no longer in the heap.
      first.cancelled = true;
      first.run(now);
    }
  }

  #sweep(): void {
    const live = this.#heap.filter((deadline) => !deadline.cancelled);
    this.#heap.length = 0;
    this.#cancelled = 0;
    for (const deadline of live) this.#push(deadline);
  }

  #push(deadline: Deadline): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(deadline);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.at <= deadline.at) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = deadline;
    if (index === 0) this.onEarlier?.(deadline.at);
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const size = heap.length;
    if (size === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= last.at) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function nothing(): void {}
