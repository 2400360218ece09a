// Watches logins for two kinds of abuse, and bans for a while: an address that sends wrong passwords, and
// a client that connects again and again from one address, as two devices with the same Client Identifier
// do. Each is off until an option sets its bound.
// Invariants: a user that has logged in from an address before is not locked out by what others of that
// address do; a flapping client is refused when it connects, so that the connection that it would take
// over stays; everything that strangers can make grow is bounded.

import { sourceOf } from '../shared/ip-address.ts';
import type { Ban, BanList } from './ban-list.ts';
import type { BrokerOptions } from './options.ts';
import type { Identity } from './ports.ts';

/** Failures and connections count within this time of the first one. */
const WINDOW_MS = 60_000;
/** Addresses with failures, clients with connections, known users: the oldest are forgotten first. */
const WATCHED_MAX = 10_000;
/** Longer names are not watched: they would take the memory of hundreds, and no device has one. */
const NAME_CHARS_MAX = 256;

interface Count {
  readonly since: number;
  times: number;
}

type GuardOptions = Pick<BrokerOptions, 'banFailures' | 'banConnects' | 'banSeconds'>;

export class LoginGuard {
  /** Connections that a ban refused. */
  refused = 0;
  readonly #options: GuardOptions;
  readonly #bans: BanList;
  /** Wrong passwords, by source. */
  readonly #failures = new Map<string, Count>();
  /** Connections, by client and source. */
  readonly #connects = new Map<string, Count>();
  /** Users that have logged in, with the source of each. */
  readonly #known = new Map<string, true>();

  /** @param options read at each login: a reload changes them */
  constructor(options: GuardOptions, bans: BanList) {
    this.#options = options;
    this.#bans = bans;
  }

  /** The ban that refuses a client before it is authenticated; undefined: none. */
  refusalOf(
    clientId: string,
    username: string | undefined,
    address: string,
    now: number,
  ): Ban | undefined {
    const ban =
      this.#bans.ofName(clientId, username, address, now) ?? this.#bans.ofAddress(address, now);
    if (ban === undefined) return undefined;
    const isKnown = username !== undefined && this.#known.has(pairOf(address, username));
    if (ban.reason === 'wrong passwords' && isKnown) return undefined;
    this.refused += 1;
    return ban;
  }

  /** A wrong password, an unknown user or an invalid token. */
  loginFailed(username: string | undefined, address: string, now: number): void {
    const { banFailures, banSeconds } = this.#options;
    if (banFailures === Number.POSITIVE_INFINITY) return;
    const source = sourceOf(address);
    const target = { source, clientId: undefined, username: undefined };
    // Who guesses the password of a user that the ban spares gets one guess.
    const isBanned = this.#bans.ofAddress(address, now) !== undefined;
    if (isBanned && username !== undefined) this.#known.delete(pairOf(address, username));
    if (count(this.#failures, source, now) < banFailures) return;
    this.#failures.delete(source);
    this.#bans.add(target, 'wrong passwords', banSeconds * 1000, now);
  }

  loginSucceeded(username: string | undefined, address: string): void {
    if (this.#options.banFailures === Number.POSITIVE_INFINITY) return;
    if (username === undefined || username.length > NAME_CHARS_MAX) return;
    const pair = pairOf(address, username);
    this.#known.delete(pair);
    this.#known.set(pair, true);
    forgetOldest(this.#known);
  }

  /**
   * An authenticated client is about to be connected.
   * @returns its ban if it flaps, or if its certificate or its token names a client or user that is banned
   */
  connecting({ clientId, username }: Identity, address: string, now: number): Ban | undefined {
    const named = this.#bans.ofName(clientId, username, address, now);
    if (named !== undefined) {
      this.refused += 1;
      return named;
    }
    const { banConnects, banSeconds } = this.#options;
    if (banConnects === Number.POSITIVE_INFINITY) return undefined;
    if (clientId.length > NAME_CHARS_MAX) return undefined;
    const source = sourceOf(address);
    const pair = pairOf(address, clientId);
    if (count(this.#connects, pair, now) <= banConnects) return undefined;
    this.#connects.delete(pair);
    this.refused += 1;
    return this.#bans.add(
      { source, clientId, username: undefined },
      'flapping',
      banSeconds * 1000,
      now,
    );
  }
}

function pairOf(address: string, name: string): string {
  return `${sourceOf(address)} ${name}`;
}

/** @returns how often it has happened within the window, this time included */
function count(counts: Map<string, Count>, key: string, now: number): number {
  const known = counts.get(key);
  if (known !== undefined && now - known.since < WINDOW_MS) {
    known.times += 1;
    return known.times;
  }
  counts.delete(key);
  counts.set(key, { since: now, times: 1 });
  forgetOldest(counts);
  return 1;
}

function forgetOldest(map: Map<string, unknown>): void {
  if (map.size <= WATCHED_MAX) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
