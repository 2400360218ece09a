// Clients and addresses that may not connect for a while: banned by the login guard, or by hand. A ban
// refuses new connections and ends none. Keeps its entries in memory, for this node alone.
// Invariant: bounded; when it is full, the ban that ends first makes room.

import { sourceOf } from '../shared/ip-address.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import type { DeadlineQueue } from './deadline-queue.ts';

const BANS_MAX = 10_000;

export type BanReason = 'wrong passwords' | 'flapping' | 'by hand';

/** Whom a ban is for: all of an address, a client from anywhere, or a client from one address. */
export interface BanTarget {
  /** An IPv4 address, or an IPv6 /64 as sourceOf() writes it; undefined: any. */
  readonly source: string | undefined;
  readonly clientId: string | undefined;
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

  /** The ban that a CONNECT meets, the one of its address last; undefined: none. */
  find(clientId: string, address: string, now: number): Ban | undefined {
    if (this.#bans.size === 0) return undefined;
    const source = sourceOf(address);
    const targets = [
      { source, clientId },
      { source: undefined, clientId },
      { source, clientId: undefined },
    ];
    for (const target of targets) {
      const ban = this.#bans.get(keyOf(target));
      if (ban !== undefined && ban.until > now) return ban;
    }
    return undefined;
  }

  /** Replaces an earlier ban of the same target. */
  add(target: BanTarget, reason: BanReason, forMs: number, now: number): Ban {
    const { source, clientId } = target;
    const key = keyOf(target);
    const ban = { source, clientId, reason, since: now, until: now + forMs };
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
    const key = keyOf(target);
    const ban = this.#bans.get(key);
    if (ban === undefined || ban.until <= now) return false;
    this.#end(key, ban, 'ban lifted');
    return true;
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

function keyOf({ source = '', clientId }: BanTarget): string {
  return clientId === undefined ? source : `${source} ${clientId}`;
}

function fieldsOf({ source, clientId }: Ban): LogFields {
  return { from: source, client: clientId };
}
