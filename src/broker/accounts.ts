// Who pays for what the node keeps in memory, and for the bounds that all clients share. Everything
// that a client makes the node keep is charged here, in bytes as memory-costs.ts has them, to its
// session (ClientAccount), to its user, and to the node. A client without a user name counts with all
// others of its address. Where every user name is proven, all clients without one also share one account
// (Accounts.nameless). Who first takes a shared resource pays for it until it is free again.
// Invariant: at a bound, those who hold most are refused first, so that others find room (isOverShare).

import { addressToBytes, sourceOf } from '../shared/ip-address.ts';
import { textBytes } from '../shared/text-bytes.ts';
import { USER_BYTES } from './memory-costs.ts';

export interface UserProof {
  /** True while no client may have a user name that it has not proven. */
  readonly provesUsers: boolean;
}

export interface MemoryLimits {
  /** Memory of everything that is charged here, bytes. */
  readonly memoryBytesMax: number;
}

/** Of the keys of clients without a user name. */
const ADDRESS_PREFIX = 'address ';

/** One for each user, for as long as anything is charged to it. */
export class UserAccount {
  readonly key: string;
  /** What all clients without a user name hold, if these are some of them; parts of this node are not. */
  readonly group: UserAccount | undefined;
  /** Memory of every kind. */
  bytes = 0;
  /** Memory of queued messages and of those in flight, bytes. */
  queueBytes = 0;
  retainedMessages = 0;
  retainedBytes = 0;
  /** Shapes of filters, and topic levels of the subscription tree. */
  shapes = 0;
  levels = 0;
  /** Those of the shapes that name a group of shared subscriptions. */
  sharedGroups = 0;
  /** Sessions, connected or not. */
  sessions = 0;
  /** Sessions whose client is not connected. */
  absentSessions = 0;

  constructor(key: string, group?: UserAccount) {
    this.key = key;
    this.group = group;
  }

  /** Of clients without a user name; undefined for a user. */
  get address(): string | undefined {
    return this.key.startsWith(ADDRESS_PREFIX) ? this.key.slice(ADDRESS_PREFIX.length) : undefined;
  }
}

/** One for each session. */
export class ClientAccount {
  #user: UserAccount;
  /** Memory of every kind but retained messages, which outlive the session. */
  bytes = 0;
  queueBytes = 0;
  shapes = 0;
  levels = 0;
  sharedGroups = 0;

  constructor(user: UserAccount) {
    this.#user = user;
  }

  get user(): UserAccount {
    return this.#user;
  }

  /** The client has come back as another user, or from an address that was not known: this account pays from now on. */
  moveTo(user: UserAccount): void {
    this.#count(this.#user, -1);
    this.#count(user, 1);
    this.#user = user;
  }

  /** @param sign 1 for what the session holds, -1 to give it back */
  #count(user: UserAccount, sign: 1 | -1): void {
    for (const payer of user.group === undefined ? [user] : [user, user.group]) {
      payer.bytes += sign * this.bytes;
      payer.queueBytes += sign * this.queueBytes;
      payer.shapes += sign * this.shapes;
      payer.levels += sign * this.levels;
      payer.sharedGroups += sign * this.sharedGroups;
      payer.sessions += sign;
    }
  }
}

/** Follows the name of a bound in log lines. */
export const NAMELESS_SHARE = '(the share of clients without a user name)';

/** With it, a user alone may hold three quarters of a bound. */
const SHARE_FACTOR = 12;

/**
 * True if a user that holds `own` of a resource must leave the rest to others. The share that a user may hold falls
 * with the square of what is free: one user alone holds three quarters of the bound at most, two together 90 %, and a
 * hundred still leave a thousandth of it free.
 * @param used by all
 */
export function isOverShare(own: number, used: number, bound: number): boolean {
  const free = Math.max(0, bound - used) / bound;
  return own / bound > SHARE_FACTOR * free * free;
}

export class Accounts {
  /** Memory of all users together, and of what no user pays for. */
  bytes = 0;
  /** Of all clients without a user name. */
  readonly nameless = new UserAccount('nameless');
  readonly #limits: MemoryLimits;
  readonly #access: UserProof;
  readonly #users = new Map<string, UserAccount>();

  constructor(limits: MemoryLimits, access: UserProof = { provesUsers: false }) {
    this.#limits = limits;
    this.#access = access;
  }

  /** Users that anything is charged to. */
  get size(): number {
    return this.#users.size;
  }

  /** @param address of a client without a user name */
  find(username: string | undefined, address: string): UserAccount | undefined {
    return this.#users.get(keyOf(username, address));
  }

  /** As find(), or an empty account that nothing may be charged to. */
  peek(username: string | undefined, address: string): UserAccount {
    const known = this.find(username, address);
    if (known !== undefined) return known;
    const isNameless = username === undefined && addressToBytes(address) !== undefined;
    return new UserAccount(keyOf(username, address), isNameless ? this.nameless : undefined);
  }

  /** As find(), with a new account where there is none. The caller charges something to it. */
  open(username: string | undefined, address: string): UserAccount {
    const user = this.peek(username, address);
    if (!this.#users.has(user.key)) {
      this.#users.set(user.key, user);
      this.bytes += USER_BYTES + textBytes(user.key);
    }
    return user;
  }

  /** @param change 1 for a new session, -1 for one that has ended */
  countSession({ user }: ClientAccount, change: 1 | -1): void {
    user.sessions += change;
    if (user.group !== undefined) user.group.sessions += change;
  }

  /** @param change 1 for a session whose client has left, -1 for one whose client is back or that ends */
  countAbsent({ user }: ClientAccount, change: 1 | -1): void {
    user.absentSessions += change;
    if (user.group !== undefined) user.group.absentSessions += change;
  }

  /** @param bytes negative to give them back */
  charge(client: ClientAccount, bytes: number): void {
    client.bytes += bytes;
    this.chargeUser(client.user, bytes);
  }

  /** @param user undefined for what a peer, the broker or the store keeps */
  chargeUser(user: UserAccount | undefined, bytes: number): void {
    this.bytes += bytes;
    if (user === undefined) return;
    user.bytes += bytes;
    if (user.group !== undefined) user.group.bytes += bytes;
    if (user.bytes === 0) this.#close(user);
  }

  /** Moves everything that the session holds to another user. */
  move(client: ClientAccount, username: string | undefined, address: string): void {
    const { user } = client;
    const next = this.open(username, address);
    if (next === user) return;
    client.moveTo(next);
    if (user.bytes === 0) this.#close(user);
  }

  #close(user: UserAccount): void {
    if (this.#users.get(user.key) !== user) return;
    this.#users.delete(user.key);
    this.bytes -= USER_BYTES + textBytes(user.key);
  }

  /**
   * The bound that further memory would exceed, in words; undefined if there is room.
   * @param bytes that are not charged yet
   */
  boundFor(user: UserAccount | undefined, bytes: number): string | undefined {
    const { memoryBytesMax } = this.#limits;
    const used = this.bytes + bytes;
    if (used > memoryBytesMax) return '-memory-limit';
    if (user === undefined) return undefined;
    if (isOverShare(user.bytes, this.bytes, memoryBytesMax)) {
      return "-memory-limit (the user's share)";
    }
    return this.isOverNamelessShare(user, this.nameless.bytes, this.bytes, memoryBytesMax)
      ? `-memory-limit ${NAMELESS_SHARE}`
      : undefined;
  }

  /** True if this client has no user name, and all such clients must leave the rest to users. */
  isOverNamelessShare(user: UserAccount, own: number, used: number, bound: number): boolean {
    return user.group !== undefined && this.#access.provesUsers && isOverShare(own, used, bound);
  }
}

function keyOf(username: string | undefined, address: string): string {
  return username === undefined ? ADDRESS_PREFIX + sourceOf(address) : `user ${username}`;
}
