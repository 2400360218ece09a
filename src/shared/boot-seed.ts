// A boot id as a number of 32 bits, for hashes on hot paths that cannot take a bigint.

/** XOR of both halves, unsigned. Boot ids are random, so that two nodes differ but for chance. */
export function bootSeed(bootId: bigint): number {
  return Number((bootId ^ (bootId >> 32n)) & 0xffffffffn);
}
