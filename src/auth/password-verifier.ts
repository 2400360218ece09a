// Verifies passwords against a password file. For an unknown user a user's hash is checked in vain,
// always the same one for the same name, so that response times do not reveal which users exist. A
// verified password is recognised later by a keyed digest, so that all clients can reconnect at once
// after a network fault; only a client with the right password sees the difference.
// Invariant: an empty or missing password is never right, whatever the file contains.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FairQueue } from './fair-queue.ts';
import type { Lane } from './known-logins.ts';
import {
  DEFAULT_ITERATIONS,
  isPassword,
  type PasswordHash,
  parsePasswordHash,
} from './password-hash.ts';

/** Random for each process, and never stored. */
const processKey = randomBytes(32);

interface Verified {
  /** The user's hash at that time: another hash means another password. */
  readonly hashText: string;
  readonly digest: Buffer;
}

export class PasswordVerifier {
  readonly #users: ReadonlyMap<string, string>;
  readonly #names: readonly string[];
  readonly #queue: FairQueue;
  /** Verified passwords; later versions of the file share them. */
  readonly #verified: Map<string, Verified>;

  /**
   * @param users hash of each user, as text
   * @param previous the verifier of the file's previous version
   */
  constructor(users: ReadonlyMap<string, string>, queue: FairQueue, previous?: PasswordVerifier) {
    this.#users = users;
    this.#names = [...users.keys()];
    this.#queue = queue;
    this.#verified = previous?.verifiedFor(users) ?? new Map();
  }

  has(name: string): boolean {
    return this.#users.has(name);
  }

  /** The user's hash as text, which changes with the password. */
  textOf(name: string): string | undefined {
    return this.#users.get(name);
  }

  /** Rejects with BusyError if too many logins wait. @param lane where the login waits */
  async check(name: string, password: Buffer | undefined, lane?: Lane): Promise<boolean> {
    const given = password ?? Buffer.alloc(0);
    const digest = keyedDigest(given);
    if (this.#wasVerified(name, digest)) return true;
    return this.#queue.run(async () => {
      // Another client with the same password may have been verified meanwhile.
      if (this.#wasVerified(name, digest)) return true;
      const hashText = this.#users.get(name);
      const decoy = this.#decoyFor(name);
      const isRight = await isPassword(this.#hashOf(hashText ?? decoy), given);
      if (!isRight || hashText === undefined || given.length === 0) return false;
      this.#verified.set(name, { hashText, digest });
      return true;
    }, lane);
  }

  /** The verified passwords, unless most of them belong to users that the new version lacks. */
  verifiedFor(users: ReadonlyMap<string, string>): Map<string, Verified> | undefined {
    return this.#verified.size <= 2 * users.size ? this.#verified : undefined;
  }

  #wasVerified(name: string, digest: Buffer): boolean {
    const verified = this.#verified.get(name);
    const isCurrent = verified !== undefined && verified.hashText === this.#users.get(name);
    return isCurrent && timingSafeEqual(verified.digest, digest);
  }

  /** The hash of some user, so that unknown names are as costly as known ones. */
  #decoyFor(name: string): string | undefined {
    const index = keyedDigest(Buffer.from(name)).readUInt32BE() % this.#names.length;
    return this.#users.get(this.#names[index] ?? '');
  }

  #hashOf(text: string | undefined): PasswordHash {
    const hash = text === undefined ? undefined : parsePasswordHash(text);
    // The file was checked when it was read: there is no hash only if it has no users.
    return hash === undefined || typeof hash === 'string' ? defaultDecoy() : hash;
  }
}

function defaultDecoy(): PasswordHash {
  const salt = randomBytes(12);
  const digest = randomBytes(64);
  return { scheme: 'pbkdf2', iterations: DEFAULT_ITERATIONS, salt, digest };
}

function keyedDigest(bytes: Buffer): Buffer {
  return createHmac('sha256', processKey).update(bytes).digest();
}
