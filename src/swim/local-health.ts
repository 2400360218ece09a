// How far this node trusts itself (Lifeguard's local health multiplier): a node that is short of
// CPU or cut off hears nobody, and should blame itself before it blames the others.

const SCORE_MAX = 7;
/** Each point makes rounds a quarter longer; why not a whole period is in decision 0011. */
const STRETCH_PER_POINT = 0.25;

export class LocalHealth {
  #score = 0;

  /** 0 = all is well, 7 = worst. */
  get score(): number {
    return this.#score;
  }

  /** What the times of a round are multiplied with. */
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
