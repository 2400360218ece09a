// Remembers which counters of one sender have been seen (RFC 4303 3.4.3, anti-replay): a bit for
// each of the last WINDOW_BITS counters. Only authenticated counters may be recorded.

const WINDOW_BITS = 1024;
const WORD_BITS = 32;
const WORDS = WINDOW_BITS / WORD_BITS;

export class ReplayWindow {
  readonly #words = new Uint32Array(WORDS);
  #highest = 0;

  /** Highest counter recorded so far; 0 when none was. */
  get highest(): number {
    return this.#highest;
  }

  /** Records the counter and returns true if it is new; false for a repeat or one too old to tell. */
  accept(counter: number): boolean {
    if (counter < 1) return false;
    if (counter > this.#highest) {
      this.#advance(counter);
      this.#mark(counter);
      return true;
    }
    if (this.#highest - counter >= WINDOW_BITS - WORD_BITS || this.#has(counter)) return false;
    this.#mark(counter);
    return true;
  }

  #advance(counter: number): void {
    const from = Math.floor(this.#highest / WORD_BITS);
    const steps = Math.min(Math.floor(counter / WORD_BITS) - from, WORDS);
    for (let step = 1; step <= steps; step++) this.#words[(from + step) % WORDS] = 0;
    this.#highest = counter;
  }

  #has(counter: number): boolean {
    const word = this.#words[Math.floor(counter / WORD_BITS) % WORDS]!;
    return (word & (1 << (counter % WORD_BITS))) !== 0;
  }

  #mark(counter: number): void {
    const index = Math.floor(counter / WORD_BITS) % WORDS;
    this.#words[index] = this.#words[index]! | (1 << (counter % WORD_BITS));
  }
}
