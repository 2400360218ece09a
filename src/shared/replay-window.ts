// Remembers the counters that one sender has used (anti-replay, RFC 4303 3.4.3): one bit for each of
// the last WINDOW_BITS counters. The caller records authenticated counters only.

const WINDOW_BITS = 1024;
const WORD_BITS = 32;
const WORDS = WINDOW_BITS / WORD_BITS;

export class ReplayWindow {
  readonly #words = new Uint32Array(WORDS);
  #highest = 0;

  /** Highest counter recorded so far; 0 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Records the counter. @returns false if it was recorded before, or is too old to know */
  accept(counter: number): boolean {
    if (this.isUsed(counter)) return false;
    if (counter > this.#highest) this.#advance(counter);
    this.#mark(counter);
    return true;
  }

  /** Whether the counter is recorded, or was and is now too old to know. */
  isUsed(counter: number): boolean {
    return this.isPast(counter) || (counter <= this.#highest && this.#has(counter));
  }

  /** Whether the counter is too old to know if it was recorded. */
  isPast(counter: number): boolean {
    return counter < 1 || this.#highest - counter >= WINDOW_BITS - WORD_BITS;
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
