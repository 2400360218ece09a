// Checks passwords against the users of a password file. An unknown user costs as much as one of
// the file: a decoy is checked instead, always the same for the same name. A password that was
// right once is known again by a keyed digest, so that a box's clients can all come back at once
// after a network fault; only whoever has the right password can see that it went faster.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FairQueue } from './fair-queue.ts';
import type { PasswordEntry } from './password-file.ts';
import { DEFAULT_ITERATIONS, decoyOf, isPassword, type PasswordHash } from './password-hash.ts';

/** Of this process only, and never stored. */
const processKey = randomBytes(32);

export class PasswordVerifier {
  readonly #users: ReadonlyMap<string, PasswordEntry>;
  readonly #line: FairQueue;
  readonly #decoys: readonly PasswordHash[];
  /** Digest of the password that was found right; at most one for each user of the file. */
  readonly #known = new Map<string, Buffer>();

  constructor(users: ReadonlyMap<string, PasswordEntry>, line: FairQueue) {
    this.#users = users;
    this.#line = line;
    this.#decoys = decoysFor([...users.values()].map(({ hash }) => hash));
  }

  has(name: string): boolean {
    return this.#users.has(name);
  }

  /** The line's hash: changes with the password. */
  textOf(name: string): string | undefined {
    return this.#users.get(name)?.text;
  }

  /** Rejects with BusyError where too many wait. @param from takes turns with others */
  async check(name: string, password: Buffer | undefined, from = ''): Promise<boolean> {
    const given = password ?? Buffer.alloc(0);
    const digest = keyedDigest(given);
    const isKnown = (): boolean => {
      const known = this.#known.get(name);
      return known !== undefined && password !== undefined && timingSafeEqual(known, digest);
    };
    if (isKnown()) return true;
    return this.#line.run(async () => {
      // Another client with the same password may have had its turn meanwhile.
      if (isKnown()) return true;
      const entry = this.#users.get(name);
      const isRight = await isPassword(entry?.hash ?? this.#decoyFor(name), given);
      if (!isRight || entry === undefined || password === undefined) return false;
      this.#known.set(name, digest);
      return true;
    }, from);
  }

  #decoyFor(name: string): PasswordHash {
    const index = keyedDigest(Buffer.from(name)).readUInt32BE() % this.#decoys.length;
    return this.#decoys[index] ?? defaultDecoy();
  }
}

/** One for each cost, as often as it occurs: unknown names take the times that known ones take. */
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
