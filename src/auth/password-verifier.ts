// Verifies passwords against a password file. For an unknown user a decoy hash is checked, always the
// same one for the same name, so that response times do not reveal which users exist. A verified
// password is recognised later by a keyed digest, so that all clients can reconnect at once after a
// network fault; only a client with the right password sees the difference.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FairQueue } from './fair-queue.ts';
import type { PasswordEntry } from './password-file.ts';
import { DEFAULT_ITERATIONS, decoyOf, isPassword, type PasswordHash } from './password-hash.ts';

/** Random for each process, and never stored. */
const processKey = randomBytes(32);

export class PasswordVerifier {
  readonly #users: ReadonlyMap<string, PasswordEntry>;
  readonly #queue: FairQueue;
  readonly #decoys: readonly PasswordHash[];
  /** Digest of each user's verified password. */
  readonly #verified = new Map<string, Buffer>();

  constructor(users: ReadonlyMap<string, PasswordEntry>, queue: FairQueue) {
    this.#users = users;
    this.#queue = queue;
    this.#decoys = decoysFor([...users.values()].map(({ hash }) => hash));
  }

  has(name: string): boolean {
    return this.#users.has(name);
  }

  /** The user's hash as text, which changes with the password. */
  textOf(name: string): string | undefined {
    return this.#users.get(name)?.text;
  }

  /** Rejects with BusyError if too many logins wait. @param source logins of different sources take turns */
  async check(name: string, password: Buffer | undefined, source = ''): Promise<boolean> {
    const given = password ?? Buffer.alloc(0);
    const digest = keyedDigest(given);
    const wasVerified = (): boolean => {
      const verified = this.#verified.get(name);
      return verified !== undefined && password !== undefined && timingSafeEqual(verified, digest);
    };
    if (wasVerified()) return true;
    return this.#queue.run(async () => {
      // Another client with the same password may have been verified meanwhile.
      if (wasVerified()) return true;
      const entry = this.#users.get(name);
      const isRight = await isPassword(entry?.hash ?? this.#decoyFor(name), given);
      if (!isRight || entry === undefined || password === undefined) return false;
      this.#verified.set(name, digest);
      return true;
    }, source);
  }

  #decoyFor(name: string): PasswordHash {
    const index = keyedDigest(Buffer.from(name)).readUInt32BE() % this.#decoys.length;
    return this.#decoys[index] ?? defaultDecoy();
  }
}

/** One for each user, so that unknown names are as costly as known ones. */
function decoysFor(hashes: readonly PasswordHash[]): PasswordHash[] {
  return hashes.length === 0 ? [defaultDecoy()] : hashes.map(decoyOf);
}

function defaultDecoy(): PasswordHash {
  const salt = randomBytes(12);
  const digest = randomBytes(64);
  return { scheme: 'pbkdf2', iterations: DEFAULT_ITERATIONS, salt, digest };
}

function keyedDigest(bytes: Buffer): Buffer {
  return createHmac('sha256', processKey).update(bytes).digest();
}
