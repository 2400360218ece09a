// Clients, users and addresses that may not connect for a while: banned by the login guard, or by hand. A ban
// refuses new connections and ends none. Keeps its entries in memory, for this node alone.
// Invariant: bounded; when it is full, the ban that ends first makes room.

import { sourceOf } from '../shared/ip-address.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import type { DeadlineQueue } from './deadline-queue.ts';

const BANS_MAX = 10_000;

export type BanReason = 'wrong passwords' | 'flapping' | 'by hand';

/** Whom a ban is for: all of an address, or one client or one user, from anywhere or from one address. */
export interface BanTarget {
  /** An IPv4 address, or an IPv6 /64 as sourceOf() writes it; undefined: any. */
  readonly source: string | undefined;
  readonly clientId: string | undefined;
  /** Undefined if `clientId` is given. */
  readonly username: string | undefined;
}

export interface Ban extends BanTarget {
  readonly reason: BanReason;
  /** Milliseconds of the core's clock. */
  readonly since: number;
  readonly until: number;
}

export class BanList {
  /** Bans so far. */
  added = 0;
  readonly #bans = new Map<string, Ban>();
  readonly #deadlines: DeadlineQueue;
  readonly #log: Logger;

  constructor(deadlines: DeadlineQueue, log: Logger) {
    this.#deadlines = deadlines;
    this.#log = log;
  }

  get size(): number {
    return this.#bans.size;
  }

  /** In the order of their beginning. */
  all(now: number): Ban[] {
    return [...this.#bans.values()].filter(({ until }) => until > now);
  }

  /** The ban of an address; undefined: none. */
  ofAddress(address: string, now: number): Ban | undefined {
    if (this.#bans.size === 0) return undefined;
    return this.#get({ source: sourceOf(address), clientId: undefined, username: undefined }, now);
  }

  /** The ban of a client or its user, there or everywhere; undefined: none. */
  ofName(
    clientId: string,
    username: string | undefined,
    address: string,
    now: number,
  ): Ban | undefined {
    if (this.#bans.size === 0) return undefined;
    const source = sourceOf(address);
    const names = [{ clientId, username: undefined }];
    const users = username === undefined ? [] : [{ clientId: undefined, username }];
    for (const name of [...names, ...users]) {
      const ban =
        this.#get({ source, ...name }, now) ?? this.#get({ source: undefined, ...name }, now);
      if (ban !== undefined) return ban;
    }
    return undefined;
  }

  /** Replaces an earlier ban of the same target. */
  add(target: BanTarget, reason: BanReason, forMs: number, now: number): Ban {
    const { source, clientId, username } = target;
    const key = keyOf(target);
    const ban = { source, clientId, username, reason, since: now, until: now + forMs };
    this.#bans.delete(key);
    if (this.#bans.size >= BANS_MAX) this.#makeRoom();
    this.#bans.set(key, ban);
    this.added += 1;
    this.#log.warn('banned', { ...fieldsOf(ban), reason, forMs });
    this.#deadlines.schedule(ban.until, () => this.#end(key, ban, 'ban over'));
    return ban;
  }

  /** @returns false if there is no such ban */
  lift(target: BanTarget, now: number): boolean {
    const ban = this.#get(target, now);
    if (ban === undefined) return false;
    this.#end(keyOf(target), ban, 'ban lifted');
    return true;
  }

  #get(target: BanTarget, now: number): Ban | undefined {
    const ban = this.#bans.get(keyOf(target));
    return ban !== undefined && ban.until > now ? ban : undefined;
  }

  /** Not if another ban has replaced it. */
  #end(key: string, ban: Ban, event: string): void {
    if (this.#bans.get(key) !== ban) return;
    this.#bans.delete(key);
    this.#log.info(event, { ...fieldsOf(ban), reason: ban.reason });
  }

  #makeRoom(): void {
    let [first] = this.#bans;
    for (const entry of this.#bans) if (first && entry[1].until < first[1].until) first = entry;
    if (first !== undefined) this.#bans.delete(first[0]);
  }
}

/** A source has no space in it, so no name of a client can make the key of another target. */
function keyOf({ source = '', clientId, username }: BanTarget): string {
  if (clientId !== undefined) return `${source} client ${clientId}`;
  return username === undefined ? source : `${source} user ${username}`;
}

function fieldsOf({ source, clientId, username }: Ban): LogFields {
  return { from: source, client: clientId, user: username };
}
