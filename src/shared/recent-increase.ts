// How much a counter has grown of late. The owner samples it every few seconds; samples that are older
// than the window are forgotten, except for one, so that the window is never shorter.

const WINDOW_MS = 60_000;

export class RecentIncrease {
  readonly #windowMs: number;
  #samples: { readonly at: number; readonly value: number }[] = [];

  /** @param windowMs a minute without */
  constructor(windowMs = WINDOW_MS) {
    this.#windowMs = windowMs;
  }

  sample(value: number, now: number): void {
    this.#samples.push({ at: now, value });
    const second = this.#samples[1];
    if (second !== undefined && second.at <= now - this.#windowMs) this.#samples.shift();
  }

  /** 0 before the second sample, and where the counter has fallen. */
  get value(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    return first === undefined || last === undefined ? 0 : Math.max(0, last.value - first.value);
  }

  /** Over the window, or over the time since the first sample if that is shorter. */
  get perSecond(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return (1000 * this.value) / (last.at - first.at);
  }
}
