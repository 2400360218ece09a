// The messages that came over bridges lately, as hashes of 64 bits: two different messages have the same
// one too rarely to matter. In two generations: when the young one is full it replaces the old one.
// Invariant: fixed memory, and a bounded search even where clients choose the hashes.

/** Messages of each generation. */
const GENERATION_MAX = 32_768;
/** Half of them stay empty. Power of two. */
const SLOTS = 2 * GENERATION_MAX;
/** Only chosen hashes collide so often: a new one replaces one of them then. */
const PROBES_MAX = 64;

export class SeenIds {
  /** The two halves of each hash, side by side; both 0: empty. */
  #young = new Int32Array(2 * SLOTS);
  #old = new Int32Array(2 * SLOTS);
  #count = 0;

  /** Remembers a hash of two halves. @returns false if it was known */
  add(low: number, high: number): boolean {
    const first = low === 0 && high === 0 ? 1 : low;
    const place = find(this.#young, first, high);
    const young = this.#young;
    if (young[place] === first && young[place + 1] === high) return false;
    const old = find(this.#old, first, high);
    if (this.#old[old] === first && this.#old[old + 1] === high) return false;
    young[place] = first;
    young[place + 1] = high;
    this.#count += 1;
    if (this.#count === GENERATION_MAX) this.#turn();
    return true;
  }

  #turn(): void {
    const empty = this.#old.fill(0);
    this.#old = this.#young;
    this.#young = empty;
    this.#count = 0;
  }
}

/** @returns where the hash is, or belongs */
function find(slots: Int32Array, low: number, high: number): number {
  const begin = low & (SLOTS - 1);
  for (let probe = 0; probe < PROBES_MAX; probe++) {
    const place = 2 * ((begin + probe) & (SLOTS - 1));
    const first = slots[place];
    const second = slots[place + 1];
    if ((first === low && second === high) || (first === 0 && second === 0)) return place;
  }
  return 2 * begin;
}
