// Changes inputs of a fuzz target, from a seed: bits, bytes, numbers, pieces of other inputs, words of the target's
// language. Knows nothing of coverage.

import { type Random, seededRandom } from '../../support/random.ts';

const CHANGES_MAX = 4;
const PIECE_BYTES_MAX = 64;
const ODD_BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x20];
const ODD_NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0xffffffff];

export interface MutatorOptions {
  readonly seed: number;
  readonly bytesMax: number;
  /** Words of the language: keywords, magic numbers, delimiters. */
  readonly words: readonly (string | Buffer)[];
}

export class Mutator {
  readonly #random: Random;
  readonly #bytesMax: number;
  readonly #words: readonly Buffer[];

  constructor({ seed, bytesMax, words }: MutatorOptions) {
    this.#random = seededRandom(seed);
    this.#bytesMax = bytesMax;
    this.#words = words.map((word) => Buffer.from(word));
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** One to four changes of an input, which stays as it is. @param others may lend pieces */
  mutate(input: Buffer, others: readonly Buffer[]): Buffer {
    let bytes: Buffer = Buffer.from(input);
    const changesMax = this.below(2) === 0 ? 1 : CHANGES_MAX;
    for (let changes = 1 + this.below(changesMax); changes > 0; changes--) {
      bytes = this.#change(bytes, others);
    }
    return bytes.subarray(0, this.#bytesMax);
  }

  #change(bytes: Buffer, others: readonly Buffer[]): Buffer {
    const at = this.below(bytes.length + 1);
    switch (this.below(12)) {
      case 0:
        return this.#set(bytes, at, (byte) => byte ^ (1 << this.below(8)));
      case 1:
      case 10:
      case 11:
        return this.#set(bytes, at, () => this.below(256));
      case 2:
        return this.#set(bytes, at, () => ODD_BYTES[this.below(ODD_BYTES.length)]!);
      case 3:
        return this.#set(bytes, at, (byte) => byte + this.below(33) - 16);
      case 4:
        return this.#number(bytes, at);
      case 5:
        return bytes.subarray(0, at);
      case 6:
        return remove(bytes, at, 1 + this.below(PIECE_BYTES_MAX));
      case 7:
        return insert(bytes, at, this.#piece(bytes));
      case 8:
        return insert(bytes, at, this.#piece(others[this.below(others.length)] ?? bytes));
      default:
        return this.#word(bytes, at);
    }
  }

  #set(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
    if (at < bytes.length) bytes[at] = change(bytes[at]!);
    return bytes;
  }

  /** A number of two or four bytes that is likely to be a limit somewhere. */
  #number(bytes: Buffer, at: number): Buffer {
    const number = ODD_NUMBERS[this.below(ODD_NUMBERS.length)]!;
    const isShort = this.below(2) === 0;
    if (at + (isShort ? 2 : 4) > bytes.length) return bytes;
    if (isShort) bytes.writeUInt16BE(number & 0xffff, at);
    else bytes.writeUInt32BE(number, at);
    return bytes;
  }

  #word(bytes: Buffer, at: number): Buffer {
    const word = this.#words[this.below(this.#words.length)];
    if (word === undefined) return bytes;
    return this.below(2) === 0
      ? insert(bytes, at, word)
      : insert(remove(bytes, at, word.length), at, word);
  }

  #piece(of: Buffer): Buffer {
    const start = this.below(of.length);
    return of.subarray(start, start + 1 + this.below(PIECE_BYTES_MAX));
  }
}

function insert(bytes: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}

function remove(bytes: Buffer, at: number, count: number): Buffer {
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
}
