// What a text takes in memory: V8 keeps Latin-1 in one byte a character, and everything else in two.

/** Characters above U+00FF take two bytes, and all others of the same text with them. */
const WIDE = /[\u0100-\uffff]/;

/** Bytes of a text in memory. */
export function textBytes(text: string | undefined): number {
  if (text === undefined) return 0;
  return WIDE.test(text) ? text.length * 2 : text.length;
}
