// How often datagrams that prove nothing are answered: each one once, and only so many a second for each
// boot and each source address. Knows nothing of what they say. Invariant: bounded memory; when it is
// full, what was used longest ago is forgotten first. Source: decision 0017.

const BOOTS_MAX = 1024;
const ADDRESSES_MAX = 1024;
/** Counters remembered for each boot. */
const COUNTERS_MAX = 64;
const CHALLENGES_PER_BOOT_MAX = 8;
/** Many nodes may share an address: processes of one machine, or machines behind a NAT. */
const CHALLENGES_PER_ADDRESS_MAX = 256;
const INTERVAL_MS = 1000;

/** Challenges within one interval. */
interface Share {
  readonly since: number;
  sent: number;
}

export class ChallengeLimit {
  /** Counters of datagrams that were handled though their boot or address was not validated. */
  readonly #handled = new Map<bigint, number[]>();
  readonly #boots = new Map<bigint, Share>();
  readonly #addresses = new Map<string, Share>();

  isHandled(bootId: bigint, counter: number): boolean {
    return this.#handled.get(bootId)?.includes(counter) === true;
  }

  /** @returns false if it was handled before */
  handle(bootId: bigint, counter: number): boolean {
    const counters = this.#handled.get(bootId) ?? [];
    if (counters.includes(counter)) return false;
    counters.push(counter);
    if (counters.length > COUNTERS_MAX) counters.shift();
    makeRoom(this.#handled, bootId, BOOTS_MAX);
    this.#handled.set(bootId, counters);
    return true;
  }

  /** Uses up one challenge. @returns false if the boot or the address has had its share */
  admit(now: number, bootId: bigint, address: string): boolean {
    const boot = shareOf(this.#boots, bootId, BOOTS_MAX, now);
    const source = shareOf(this.#addresses, address, ADDRESSES_MAX, now);
    if (boot.sent >= CHALLENGES_PER_BOOT_MAX) return false;
    if (source.sent >= CHALLENGES_PER_ADDRESS_MAX) return false;
    boot.sent += 1;
    source.sent += 1;
    return true;
  }
}

function shareOf<K>(shares: Map<K, Share>, key: K, max: number, now: number): Share {
  const known = shares.get(key);
  if (known !== undefined && now - known.since < INTERVAL_MS) return known;
  makeRoom(shares, key, max);
  const share = { since: now, sent: 0 };
  shares.set(key, share);
  return share;
}

/** Makes the key the newest one, with room for it. */
function makeRoom<K>(map: Map<K, unknown>, key: K, max: number): void {
  map.delete(key);
  if (map.size >= max) map.delete(map.keys().next().value as K);
}
