// What each user and each client takes of the bounds that all clients of the node share, so that none
// of them can take what belongs to all. A client without a user name counts with all others of its
// address. The first user of a shared resource is charged for it until the resource is free again.
// Invariant: a user with more than a quarter of a bound gets no more while over three quarters of it
// are in use, so that others find room; a client has a fixed share far below the bound.

/** Kept small: one for each user, for as long as something is charged to it. */
export class UserAccount {
  /** Sessions whose client is not connected. */
  absentSessions = 0;
  /** Shapes of filters, and topic levels of the subscription tree. */
  shapes = 0;
  levels = 0;
  /** Memory of queued messages, bytes. */
  queueBytes = 0;
  retainedMessages = 0;
  retainedBytes = 0;
  /** Sessions, connected or not. */
  sessions = 0;

  get isIdle(): boolean {
    const { sessions, shapes, levels, queueBytes, retainedMessages } = this;
    return sessions + shapes + levels + queueBytes + retainedMessages === 0;
  }
}

/** One for each session. */
export class ClientAccount {
  readonly user: UserAccount;
  shapes = 0;
  levels = 0;

  constructor(user: UserAccount) {
    this.user = user;
  }
}

/** True if a user with `own` of the resource must leave the rest to others. */
export function isOverShare(own: number, used: number, bound: number): boolean {
  return own > bound / 4 && used > (bound / 4) * 3;
}

const SWEEP_AT_MIN = 1024;

export class Accounts {
  readonly #users = new Map<string, UserAccount>();
  #sweepAt = SWEEP_AT_MIN;

  /** @param address of a client without a user name */
  find(username: string | undefined, address: string): UserAccount | undefined {
    return this.#users.get(keyOf(username, address));
  }

  /** As find(), with a new account where there is none. */
  open(username: string | undefined, address: string): UserAccount {
    const key = keyOf(username, address);
    let user = this.#users.get(key);
    if (user === undefined) {
      if (this.#users.size >= this.#sweepAt) this.#sweep();
      user = new UserAccount();
      this.#users.set(key, user);
    }
    return user;
  }

  #sweep(): void {
    for (const [key, user] of this.#users) if (user.isIdle) this.#users.delete(key);
    this.#sweepAt = Math.max(SWEEP_AT_MIN, this.#users.size * 2);
  }
}

function keyOf(username: string | undefined, address: string): string {
  return username === undefined ? `address ${address}` : `user ${username}`;
}
