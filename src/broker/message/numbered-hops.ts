// The hops of messages that only this node has passed on, encoded: those of one origin, with numbers of one
// length, differ in their digits alone. So the next one overwrites the digits of the last.

import { encodeHops } from '../../mqtt/hops-property.ts';

/** Of the numbers in hops. */
export const HOPS_RADIX = 36;
const DIGIT_0 = 0x30;
const LETTER_A = 0x61;

export class NumberedHops {
  readonly #origin: number;
  readonly #sign: number;
  /** Of the absolute number: at least the first, below the second. */
  readonly #from: number;
  readonly #to: number;
  readonly #bytes: Buffer;
  readonly #digitsEnd: number;

  /** @param id of the message with this number */
  constructor(origin: number, number: number, id: string, node: string) {
    const size = Math.abs(number);
    this.#origin = origin;
    this.#sign = Math.sign(number);
    this.#from = HOPS_RADIX ** (size.toString(HOPS_RADIX).length - 1);
    this.#to = this.#from * HOPS_RADIX;
    this.#bytes = encodeHops(`${id} ${node}`);
    this.#digitsEnd = this.#bytes.length - node.length - 1;
  }

  takes(origin: number, number: number): boolean {
    const size = number * this.#sign;
    return origin === this.#origin && size >= this.#from && size < this.#to;
  }

  withNumber(number: number): Buffer {
    const bytes = this.#bytes;
    let at = this.#digitsEnd;
    for (let rest = number * this.#sign; rest > 0; rest = Math.floor(rest / HOPS_RADIX)) {
      const digit = rest % HOPS_RADIX;
      at -= 1;
      bytes[at] = digit < 10 ? DIGIT_0 + digit : LETTER_A + digit - 10;
    }
    return bytes;
  }
}
