// Estimates how hard a cluster token is to guess. A recorded datagram lets an attacker try tokens at his
// own machines, so only a random token keeps strangers out. The estimate is coarse: it recognises words,
// numbers, sequences and repetition, and takes everything else for random.

/** Weaker tokens are warned of. 2^60 guesses take thousands of years on a thousand graphics cards. */
export const TOKEN_BITS_MIN = 60;

/** Letters of a word are predictable from those before. */
const BITS_PER_WORD_LETTER = 2.3;
const BITS_PER_LETTER = 5.7;
const BITS_PER_DIGIT = 3.3;
const BITS_PER_SYMBOL = 5;
/** A sequence such as 12345678 or aaaa, whatever its length. */
const SEQUENCE_BITS = 4;
const SEQUENCE_CHARS_MIN = 4;
const WORD = /^[A-Z]?[a-z]{3,}$|^[A-Z]{4,}$/;

/** Binary logarithm of the number of guesses. */
export function estimatedBits(token: string): number {
  const unit = token.slice(0, periodOf(token));
  if (/^(?=.*\d)(?=.*[a-f])[\da-f]+$/i.test(unit)) return 4 * unit.length;
  const parts = unit.match(/[A-Za-z]+|\d+|[^A-Za-z\d]+/g) ?? [];
  return Math.floor(parts.reduce((sum, part) => sum + bitsOfPart(part), 0));
}

/** The positions, from 1 on, of tokens that are weak. */
export function weakTokens(tokens: readonly string[]): number[] {
  return tokens.flatMap((token, index) =>
    estimatedBits(token) < TOKEN_BITS_MIN ? [index + 1] : [],
  );
}

function bitsOfPart(part: string): number {
  if (part.length >= SEQUENCE_CHARS_MIN && isSequence(part)) return SEQUENCE_BITS;
  if (/^\d/.test(part)) return BITS_PER_DIGIT * part.length;
  if (!/^[A-Za-z]/.test(part)) return BITS_PER_SYMBOL * part.length;
  return (WORD.test(part) ? BITS_PER_WORD_LETTER : BITS_PER_LETTER) * part.length;
}

/** True if each character follows from the one before by the same step of -1, 0 or 1. */
function isSequence(part: string): boolean {
  const steps = [...part].slice(1).map((char, at) => char.charCodeAt(0) - part.charCodeAt(at));
  const [step = 0] = steps;
  return Math.abs(step) <= 1 && steps.every((other) => other === step);
}

/** Length of the shortest beginning whose repetition gives the token. */
function periodOf(token: string): number {
  for (let period = 1; period < token.length; period++) {
    if (token.startsWith(token.slice(period))) return period;
  }
  return token.length;
}
