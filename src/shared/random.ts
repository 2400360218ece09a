// Unpredictable numbers for the cores, which take their randomness as an argument: nonces, client
// identifiers that the broker assigns, choices that an attacker must not foresee.

import { randomBytes } from 'node:crypto';

/** @returns a number in [0, 1) with 48 random bits from the system's generator */
export function secureRandom(): number {
  return randomBytes(6).readUIntBE(0, 6) / 0x1000000000000;
}
