// When a node contacts its seeds: often while it joins, every second while it is alone, and later now and
// then, so that a partition heals from both sides. Pure: `now` is an argument.

/** Nodes that are switched on together are up within a second or two of each other. */
const SEEDS_JOINING_MS = 200;
const SEEDS_ALONE_MS = 1000;
const SEEDS_MS = 5000;
/** Each interval varies by this share. */
const SEEDS_JITTER = 0.25;

export class SeedSchedule {
  readonly #random: () => number;
  #at: number;

  constructor(random: () => number, now: number) {
    this.#random = random;
    this.#at = now;
  }

  get deadline(): number {
    return this.#at;
  }

  /** @returns whether the seeds are to be contacted now; the next time is later then */
  isDue(now: number, isAlone: boolean, isJoining: boolean): boolean {
    if (isAlone) this.#at = Math.min(this.#at, now + SEEDS_ALONE_MS);
    if (now < this.#at) return false;
    const jitter = 1 + (this.#random() * 2 - 1) * SEEDS_JITTER;
    const aloneMs = isJoining ? SEEDS_JOINING_MS : SEEDS_ALONE_MS;
    this.#at = now + (isAlone ? aloneMs : SEEDS_MS * jitter);
    return true;
  }
}
