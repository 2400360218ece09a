// Lifeguard's local health multiplier: a node that is short of CPU or cut off from the network misses
// acks, and should suspect itself before it suspects others. Source: Lifeguard 4.1; why a point adds a
// quarter of a period and not a whole one is in decision 0011.

const SCORE_MAX = 7;
const STRETCH_PER_POINT = 0.25;

export class LocalHealth {
  #score = 0;

  /** 0 = healthy, 7 = worst. */
  get score(): number {
    return this.#score;
  }

  /** Factor for all times of a protocol period, 1 to 2.75. */
  get stretch(): number {
    return 1 + this.#score * STRETCH_PER_POINT;
  }

  worsen(): void {
    this.#score = Math.min(this.#score + 1, SCORE_MAX);
  }

  improve(): void {
    this.#score = Math.max(this.#score - 1, 0);
  }
}
