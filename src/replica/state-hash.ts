// Hashes that compare two states: the XOR over all parts of a state is the same on two nodes exactly
// when their parts are (but for chance, 1 in 2^53). They guard against differences, not
// against enemies: those don't get past the envelope.

const LOW_BITS = 2 ** 32;

/** A hash of 53 bits as two halves, so that it can be combined by XOR without BigInt. */
export class StateHash {
  #high = 0;
  #low = 0;

  /** Adds a part or, where it was added before, takes it away. */
  toggle(text: string, time: number, writer: bigint): void {
    let low = 0x811c9dc5;
    let high = 0x9747b28c;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ unit, 0x85ebca6b);
    }
    for (const word of [
      time % LOW_BITS,
      Math.floor(time / LOW_BITS),
      Number(writer & 0xffffffffn),
      Number(writer >> 32n),
    ]) {
      low = mixed(low ^ word);
      high = mixed(high ^ Math.imul(word, 0xc2b2ae35));
    }
    this.#low ^= mixed(low ^ high);
    this.#high ^= mixed(high);
  }

  /** An integer below 2^53; 0 for nothing. */
  get value(): number {
    return (this.#high & 0x1fffff) * LOW_BITS + (this.#low >>> 0);
  }
}

/** The finaliser of MurmurHash3: every bit of the input reaches every bit of the output. */
export function mixed(value: number): number {
  let word = value ^ (value >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return word ^ (word >>> 16);
}
