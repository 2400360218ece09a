// A boot id as a number of 32 bits, for hashes on hot paths that cannot take a bigint. All nodes must
// compute the same one: docs/protocol-replication.md has the formula.

const HIGH_FACTOR = 0x9e3779b1;

/** Unsigned. Boot ids are random, so that two nodes differ but for chance. */
export function bootSeed(bootId: bigint): number {
  const high = Number((bootId >> 32n) & 0xffffffffn);
  const low = Number(bootId & 0xffffffffn);
  return (Math.imul(high, HIGH_FACTOR) ^ low) >>> 0;
}
