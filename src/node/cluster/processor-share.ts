// Measures which share of a processor the machine gives this process while it has work all the time. So messages that
// wait because of their own work are counted apart from those that wait because other programs use the processor.
// Knows nothing of messages. Invariant: a share covers SPAN_MS at least, unless the work began later.

/** A share is measured anew after this time, ms. */
const SPAN_MS = 1000;
/** A shorter time says nothing: processor time has coarse steps, ms. */
const SPAN_MS_MIN = 100;
/** With less than this share, other programs had the processor for more of the time than this one. */
const STARVED_SHARE = 0.5;

export class ProcessorShare {
  /** Processor time of this process so far, ms. */
  readonly #usedMs: () => number;
  #markedAt = 0;
  #usedAtMark = 0;
  #share: number | undefined;

  constructor(usedMs: () => number) {
    this.#usedMs = usedMs;
  }

  /** From `now` on the process has work all the time. */
  begin(now: number): void {
    this.#markedAt = now;
    this.#usedAtMark = this.#usedMs();
    this.#share = undefined;
  }

  /** 1 is a whole processor. @returns undefined while the work has lasted for too short a time */
  at(now: number): number | undefined {
    const spanMs = now - this.#markedAt;
    if (spanMs < SPAN_MS && (this.#share !== undefined || spanMs < SPAN_MS_MIN)) return this.#share;
    const usedMs = this.#usedMs();
    const share = (usedMs - this.#usedAtMark) / spanMs;
    if (spanMs < SPAN_MS) return share;
    this.#share = share;
    this.#markedAt = now;
    this.#usedAtMark = usedMs;
    return share;
  }
}

/** Processor time of all threads of this process so far, ms. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export function isStarved(share: number | undefined): boolean {
  return share !== undefined && share < STARVED_SHARE;
}
