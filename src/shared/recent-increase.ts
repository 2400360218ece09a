// How much a counter has grown in the last minute. The owner samples it every few seconds; samples that
// are older than the window are forgotten, except for one, so that the window is never shorter.

const WINDOW_MS = 60_000;

export class RecentIncrease {
  #samples: { readonly at: number; readonly value: number }[] = [];

  sample(value: number, now: number): void {
    this.#samples.push({ at: now, value });
    const second = this.#samples[1];
    if (second !== undefined && second.at <= now - WINDOW_MS) this.#samples.shift();
  }

  /** 0 before the second sample, and where the counter has fallen. */
  get value(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    return first === undefined || last === undefined ? 0 : Math.max(0, last.value - first.value);
  }
}
