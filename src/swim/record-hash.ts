// A 64-bit hash of one online member. The XOR over all members is the table hash, by which two nodes
// see that their tables differ. It resists chance, not attackers: the envelope keeps those out. Part of
// the protocol (docs/protocol-gossip.md): a change makes nodes of two versions pull for ever.

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

/** The finaliser of MurmurHash3: each bit of the input affects each bit of the output. */
function mixed(value: number): number {
  let word = value ^ (value >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return word ^ (word >>> 16);
}
