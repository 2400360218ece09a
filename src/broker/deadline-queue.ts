// Things to do at a time: a binary heap over an injected clock. Keep alives, expiries and delays
// live here, so the core needs one timer outside, whatever the number of connections.

export interface Deadline {
  /** Milliseconds of the core's clock. */
  at: number;
  readonly run: (now: number) => void;
  cancelled: boolean;
}

export class DeadlineQueue {
  readonly #heap: Deadline[] = [];
  #cancelled = 0;
  /** Called when something is due earlier than all before it. */
  onEarlier: ((at: number) => void) | undefined;

  /** When the next thing is due; Infinity when nothing is. */
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
    this.#cancelled += 1;
    // Short-lived connections must not leave their deadlines behind until these come due.
    if (this.#cancelled > 64 && this.#cancelled > this.#heap.length / 2) this.#sweep();
  }

  /** Runs what is due at `now`, until `mayGoOn`, asked before each, says no. */
  advance(now: number, mayGoOn: () => boolean = () => true): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.at > now || !mayGoOn()) return;
      this.#pop();
      if (first.cancelled) {
        this.#cancelled -= 1;
        continue;
      }
      // Marked, so that cancelling it later is not counted.
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
