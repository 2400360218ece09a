// Remembers which addresses and users have logged in before, so that their logins come before those of
// strangers while very many wait. Knows no passwords: it decides on the order, never on access.
// Invariant: the addresses and users that are remembered are bounded; the one used longest ago is forgotten.

import { sourceOf } from '../shared/ip-address.ts';

const REMEMBERED_MAX = 10_000;
/** Longer names are not remembered: they would take the memory of hundreds, and no person has one. */
export const REMEMBERED_NAME_CHARACTERS_MAX = 256;
const IPV4_BITS_MAX = 32;

/** Where a login waits. Lanes take turns. */
export interface Lane {
  readonly name: string;
  /** Its logins come before those of strangers. */
  readonly isKnown: boolean;
}

export class KnownLogins {
  readonly #ipv4Bits: number;
  readonly #addresses = new Set<string>();
  readonly #users = new Set<string>();

  /** @param ipv4Bits IPv4 addresses that agree in these bits are one address here */
  constructor(ipv4Bits = IPV4_BITS_MAX) {
    this.#ipv4Bits = ipv4Bits;
  }

  /** @param user whom the client claims to be; undefined where only its proof says it */
  laneOf(address: string, user: string | undefined): Lane {
    const source = sourceOf(address, this.#ipv4Bits);
    if (this.#addresses.has(source)) return { name: `address ${source}`, isKnown: true };
    // Anyone may claim the name of a known user, so all who do are in one lane.
    if (user !== undefined && this.#users.has(user)) return { name: `user ${user}`, isKnown: true };
    return { name: `address ${source}`, isKnown: false };
  }

  /** The login succeeded. */
  remember(address: string, user: string | undefined): void {
    add(this.#addresses, sourceOf(address, this.#ipv4Bits));
    if (user === undefined || user.length > REMEMBERED_NAME_CHARACTERS_MAX) return;
    add(this.#users, user);
  }
}

function add(set: Set<string>, key: string): void {
  set.delete(key);
  set.add(key);
  if (set.size <= REMEMBERED_MAX) return;
  for (const oldest of set) {
    set.delete(oldest);
    return;
  }
}
