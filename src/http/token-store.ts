// The tokens that open the HTTP API to callers of other machines, and changes to every caller over TCP.
// A token is `ID.SECRET`, both random. The file holds a scrypt hash of the secret; the token itself is shown
// once, when it is made. Invariants: the number of tokens and of hashes computed at a time is bounded; every
// wrong token costs the same work; a secret is compared in constant time.

import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';

/** With one more the oldest is dropped. */
const TOKENS_MAX = 16;
const ID_BYTES = 6;
const SECRET_BYTES = 24;
const HASH_BYTES = 32;
/** Hashes at a time: each takes 16 MB and 50 ms of a thread. */
const CHECKS_MAX = 2;

interface StoredToken {
  readonly id: string;
  readonly salt: string;
  readonly hash: string;
  /** ms since 1970. */
  readonly createdAt: number;
}

export interface TokenView {
  readonly id: string;
  readonly createdAt: number;
}

/** The file of the tokens can't be used. The message names it and the reason. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError';
}

/** The SHA-256 of no token. */
const NO_DIGEST = randomBytes(32);
/** In place of a token that does not exist. */
const DECOY = {
  salt: randomBytes(16).toString('base64url'),
  hash: randomBytes(HASH_BYTES).toString('base64url'),
};

export class TokenStore {
  readonly #path: string | undefined;
  #tokens: readonly StoredToken[];
  /** SHA-256 of secrets that scrypt has verified in this run, by id: further requests cost no scrypt. */
  readonly #verified = new Map<string, Buffer>();
  #checks = 0;

  private constructor(path: string | undefined, tokens: readonly StoredToken[]) {
    this.#path = path;
    this.#tokens = tokens;
  }

  /** @param path undefined: the tokens end with the process. Rejects with TokenFileError */
  static async open(path: string | undefined): Promise<TokenStore> {
    if (path === undefined) return new TokenStore(undefined, []);
    try {
      return new TokenStore(path, readTokens(await readFile(path, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new TokenStore(path, []);
      const isSystem = (error as NodeJS.ErrnoException).code !== undefined;
      const why = isSystem ? describeSystemError(error, 'read') : 'is no file of tokens; delete it';
      throw new TokenFileError(`${path}: ${why}`);
    }
  }

  /** In the order of their making. */
  list(): readonly TokenView[] {
    return this.#tokens.map(({ id, createdAt }) => ({ id, createdAt }));
  }

  /** @returns the token, which is not kept. Rejects with TokenFileError */
  async issue(): Promise<string> {
    const id = randomBytes(ID_BYTES).toString('base64url');
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const salt = randomBytes(16).toString('base64url');
    const hash = (await hashOf(secret, salt)).toString('base64url');
    const token = { id, salt, hash, createdAt: Date.now() };
    await this.#replace([...this.#tokens, token].slice(-TOKENS_MAX));
    return `${id}.${secret}`;
  }

  /** Makes one token, or all of them, void. @returns how many. Rejects with TokenFileError */
  async revoke(id: string | undefined): Promise<number> {
    const kept = id === undefined ? [] : this.#tokens.filter((token) => token.id !== id);
    const count = this.#tokens.length - kept.length;
    if (count > 0) await this.#replace(kept);
    return count;
  }

  /** True for a token that verify() has found valid in this run; costs no scrypt. */
  isVerified(token: string): boolean {
    const [id = '', secret = ''] = token.split('.');
    return timingSafeEqual(this.#verified.get(id) ?? NO_DIGEST, digestOf(secret));
  }

  /**
   * Every token that is wrong costs one scrypt, whether its first part is known or not, and whether the right one was
   * verified before: the time of the answer does not say which ids exist.
   * @returns 'busy': too many tokens are being checked
   */
  async verify(token: string): Promise<'valid' | 'wrong' | 'busy'> {
    const [id = '', secret = ''] = token.split('.');
    const stored = this.#tokens.find((one) => one.id === id);
    if (secret === '') return 'wrong';
    if (this.isVerified(token)) return 'valid';
    if (this.#checks >= CHECKS_MAX) return 'busy';
    this.#checks += 1;
    try {
      const { salt, hash } = stored ?? DECOY;
      const isRight = timingSafeEqual(await hashOf(secret, salt), Buffer.from(hash, 'base64url'));
      if (!isRight || stored === undefined) return 'wrong';
    } finally {
      this.#checks -= 1;
    }
    // It may have been revoked meanwhile.
    if (!this.#tokens.includes(stored)) return 'wrong';
    this.#verified.set(id, digestOf(secret));
    return 'valid';
  }

  async #replace(tokens: readonly StoredToken[]): Promise<void> {
    if (this.#path !== undefined) await write(this.#path, JSON.stringify({ tokens }));
    this.#tokens = tokens;
    for (const id of this.#verified.keys()) {
      if (!tokens.some((token) => token.id === id)) this.#verified.delete(id);
    }
  }
}

async function write(path: string, content: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, content, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  } catch (error) {
    throw new TokenFileError(`${path}: ${describeSystemError(error, 'write')}`);
  }
}

function readTokens(content: string): StoredToken[] {
  const { tokens } = JSON.parse(content) as { tokens?: unknown };
  if (!Array.isArray(tokens)) throw new SyntaxError('no tokens');
  return tokens.slice(-TOKENS_MAX).map((one: unknown) => {
    const { id, salt, hash, createdAt } = (one ?? {}) as Record<string, unknown>;
    const isWhole =
      typeof id === 'string' &&
      typeof salt === 'string' &&
      typeof hash === 'string' &&
      typeof createdAt === 'number' &&
      Buffer.from(hash, 'base64url').length === HASH_BYTES;
    if (!isWhole) throw new SyntaxError('no token');
    return { id, salt, hash, createdAt };
  });
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function hashOf(secret: string, salt: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, HASH_BYTES, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}
