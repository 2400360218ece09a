// Password hashes in the formats of mosquitto's password files:
//   $6$ salt $ hash                       SHA-512 over password and salt, once (mosquitto 1.x)
//   $7$ iterations $ salt $ hash          PBKDF2 with HMAC-SHA-512 (mosquitto 2.0)
//   $argon2id$v=19$m=KiB,t=n,p=n$ salt $ hash      Argon2id (mosquitto 2.1; Node 24.7 and later)
// Salt and hash are in Base64. Slow hashes are computed outside the event loop.

import crypto from 'node:crypto';
import { promisify } from 'node:util';

const pbkdf2 = promisify(crypto.pbkdf2);

const DIGEST_BYTES = 64;
const SALT_BYTES_MAX = 64;
const ARGON2_DIGEST_BYTES_MIN = 16;
/** The only length that mosquitto 2.0 accepts. */
const NEW_SALT_BYTES = 12;
/** Higher costs would take minutes or all memory of a box: such a line is a mistake. */
export const ITERATIONS_MAX = 10_000_000;
const ARGON2_KIB_MAX = 1_048_576;
const ARGON2_PASSES_MAX = 100;
const ARGON2_LANES_MAX = 64;

/** About 7 ms on the reference machine, once for each user and start of the node. */
export const DEFAULT_ITERATIONS = 20_000;

interface Salted {
  readonly salt: Buffer;
  readonly digest: Buffer;
}

export type PasswordHash = Salted &
  (
    | { readonly scheme: 'sha512' }
    | { readonly scheme: 'pbkdf2'; readonly iterations: number }
    | {
        readonly scheme: 'argon2id';
        readonly memoryKib: number;
        readonly passes: number;
        readonly lanes: number;
      }
  );

type Argon2 = (
  algorithm: 'argon2id',
  parameters: Readonly<Record<string, number | Buffer>>,
  done: (error: Error | null, digest: Buffer) => void,
) => void;

/** Missing in the type definitions of Node 20. */
const argon2 = Reflect.get(crypto, 'argon2') as Argon2 | undefined;

/** @returns the hash, or the problem with the text */
export function parsePasswordHash(text: string): PasswordHash | string {
  const fields = text.split('$');
  if (fields[0] !== '') return 'the password is not hashed; shoal passwd -U FILE hashes it';
  switch (fields[1]) {
    case '6':
      return fields.length === 4
        ? withSalt({ scheme: 'sha512' }, fields[2], fields[3])
        : 'a $6$ hash is $6$salt$hash';
    case '7':
      return fields.length === 5 ? parsePbkdf2(fields) : 'a $7$ hash is $7$iterations$salt$hash';
    case 'argon2id':
      return parseArgon2(fields);
    default:
      return `the hash format '$${fields[1]}$' is unknown; $6$, $7$ and $argon2id$ are supported`;
  }
}

/** True if the hash is that of the password. Takes the same time whether it is or not. */
export async function isPassword(hash: PasswordHash, password: Buffer): Promise<boolean> {
  return crypto.timingSafeEqual(await derive(hash, password), hash.digest);
}

/** A $7$ hash, which mosquitto reads from version 2.0 on. */
export async function hashPassword(
  password: string,
  iterations: number = DEFAULT_ITERATIONS,
): Promise<string> {
  const salt = crypto.randomBytes(NEW_SALT_BYTES);
  const digest = await pbkdf2(Buffer.from(password), salt, iterations, DIGEST_BYTES, 'sha512');
  return `$7$${iterations}$${salt.toString('base64')}$${digest.toString('base64')}`;
}

function derive(hash: PasswordHash, password: Buffer): Promise<Buffer> {
  const { salt, digest } = hash;
  switch (hash.scheme) {
    case 'sha512':
      return Promise.resolve(crypto.createHash('sha512').update(password).update(salt).digest());
    case 'pbkdf2':
      return pbkdf2(password, salt, hash.iterations, digest.length, 'sha512');
    case 'argon2id':
      return new Promise((resolve, reject) => {
        if (argon2 === undefined) throw new Error('this Node has no Argon2');
        const parameters = {
          message: password,
          nonce: salt,
          memory: hash.memoryKib,
          passes: hash.passes,
          parallelism: hash.lanes,
          tagLength: digest.length,
        };
        argon2('argon2id', parameters, (error, derived) =>
          error === null ? resolve(derived) : reject(error),
        );
      });
  }
}

function parsePbkdf2(fields: readonly string[]): PasswordHash | string {
  const iterations = wholeNumber(fields[2], ITERATIONS_MAX);
  if (iterations === undefined) return `iterations must be from 1 to ${ITERATIONS_MAX}`;
  return withSalt({ scheme: 'pbkdf2', iterations }, fields[3], fields[4]);
}

function parseArgon2(fields: readonly string[]): PasswordHash | string {
  if (argon2 === undefined) {
    return `$argon2id$ needs Node 24.7 or later, this is ${process.version}; give the user a new password with shoal passwd`;
  }
  const match = /^m=(\d+),t=(\d+),p=(\d+)$/.exec(fields[3] ?? '');
  if (fields.length !== 6 || fields[2] !== 'v=19' || match === null) {
    return 'an $argon2id$ hash is $argon2id$v=19$m=KiB,t=passes,p=lanes$salt$hash';
  }
  const memoryKib = wholeNumber(match[1], ARGON2_KIB_MAX);
  const passes = wholeNumber(match[2], ARGON2_PASSES_MAX);
  const lanes = wholeNumber(match[3], ARGON2_LANES_MAX);
  if (memoryKib === undefined || passes === undefined || lanes === undefined) {
    return `Argon2 parameters may be at most m=${ARGON2_KIB_MAX},t=${ARGON2_PASSES_MAX},p=${ARGON2_LANES_MAX}`;
  }
  if (memoryKib < 8 * lanes) return 'Argon2 needs at least 8 KiB for each lane';
  return withSalt({ scheme: 'argon2id', memoryKib, passes, lanes }, fields[4], fields[5]);
}

function withSalt<T extends { readonly scheme: PasswordHash['scheme'] }>(
  cost: T,
  saltText: string | undefined,
  digestText: string | undefined,
): (T & Salted) | string {
  const salt = fromBase64(saltText);
  const digest = fromBase64(digestText);
  const isArgon2 = cost.scheme === 'argon2id';
  const saltBytesMin = isArgon2 ? 8 : 1;
  if (salt === undefined || salt.length < saltBytesMin || salt.length > SALT_BYTES_MAX) {
    return `the salt must be ${saltBytesMin} to ${SALT_BYTES_MAX} bytes in Base64`;
  }
  const digestBytesMin = isArgon2 ? ARGON2_DIGEST_BYTES_MIN : DIGEST_BYTES;
  if (digest === undefined || digest.length < digestBytesMin || digest.length > DIGEST_BYTES) {
    return `the hash is incomplete: it must be ${digestBytesMin === DIGEST_BYTES ? '' : `${digestBytesMin} to `}${DIGEST_BYTES} bytes in Base64`;
  }
  return { ...cost, salt, digest };
}

/** Strict, unlike Buffer.from(), which skips invalid characters. */
function fromBase64(text = ''): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  const unpadded = text.replace(/={0,2}$/, '');
  return bytes.toString('base64').replace(/=+$/, '') === unpadded ? bytes : undefined;
}

function wholeNumber(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  const number = Number(text);
  return number >= 1 && number <= max ? number : undefined;
}
