// Events in the order of their times: a binary heap. Events with equal times keep their order of
// insertion.

interface Entry {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventHeap {
  readonly #entries: Entry[] = [];
  #pushed = 0;

  peekTime(): number | undefined {
    return this.#entries[0]?.time;
  }

  push(time: number, run: () => void): void {
    this.#pushed += 1;
    const entry = { time, order: this.#pushed, run };
    const entries = this.#entries;
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, entries[parent]!)) break;
      entries[at] = entries[parent]!;
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): (() => void) | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (first === undefined || last === undefined) return undefined;
    if (entries.length > 0) this.#sink(last);
    return first.run;
  }

  /** Runs the events up to `end`, in order: each finds its own time on the clock, which shows `end` at last. */
  runUntil(end: number, clock: { now: number }): void {
    for (;;) {
      const next = this.peekTime();
      if (next === undefined || next > end) break;
      clock.now = Math.max(clock.now, next);
      this.pop()?.();
    }
    clock.now = end;
  }

  #sink(entry: Entry): void {
    const entries = this.#entries;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && isBefore(entries[child + 1]!, entries[child]!)) child += 1;
      if (!isBefore(entries[child]!, entry)) break;
      entries[at] = entries[child]!;
      at = child;
    }
    entries[at] = entry;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.time !== b.time ? a.time < b.time : a.order < b.order;
}
