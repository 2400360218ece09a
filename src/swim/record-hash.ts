// A 64-bit hash of one online member, made so that the XOR over all members tells two tables apart.
// It guards against differences, not against enemies: those don't get past the envelope.

import { FNV_OFFSET_BASIS, FNV_PRIME } from '../shared/fnv1a.ts';

/** @returns 64 bits */
export function recordHash(name: string, bootId: bigint, incarnation: number): bigint {
  let low = FNV_OFFSET_BASIS;
  let high = 0x9747b28c;
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index);
    low = Math.imul(low ^ unit, FNV_PRIME);
    high = Math.imul(high ^ unit, 0x85ebca6b);
  }
  for (const word of [Number(bootId >> 32n), Number(bootId & 0xffffffffn), incarnation]) {
    low = mixed(low ^ word);
    high = mixed(high ^ Math.imul(word, 0xc2b2ae35));
  }
  return (BigInt(mixed(high) >>> 0) << 32n) | BigInt(mixed(low ^ high) >>> 0);
}

/** The finaliser of MurmurHash3: every bit of the input reaches every bit of the output. */
function mixed(value: number): number {
  let word = value ^ (value >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return word ^ (word >>> 16);
}
