// JSON Web Tokens as passwords (RFC 7519): HS256 with a secret, RS256 and ES256 with public keys in
// PEM. The kind of key determines the algorithm, never the token, so that no token can use a public key
// as a shared secret. The file may contain several keys, so that a key can be replaced without a gap.

import {
  createHash,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { decodeProtectedHeader, type JWTVerifyOptions, jwtVerify } from 'jose';
import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import { AccessError } from './access-error.ts';
import type { TopicClaims } from './permissions.ts';
import { readTopicClaims } from './topic-claims.ts';

/** The length of the digest (RFC 7518, 3.2). */
const SECRET_BYTES_MIN = 32;
const RSA_BITS_MIN = 2048;
const KEYS_MAX = 16;
/** Room for all keys and comments; a larger file is the wrong file. */
const FILE_CHARS_MAX = 262_144;
/** Allowed difference between this clock and that of the token's issuer. */
const CLOCK_TOLERANCE_SECONDS = 5;
const NO_EXPIRY = 'the token has no expiry (exp), which -auth-jwt-require-exp asks for';
const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

export interface TokenKey {
  /** SHA-256 of the key, in hex. */
  readonly id: string;
  readonly algorithm: 'HS256' | 'RS256' | 'ES256';
  readonly key: KeyObject;
}

export interface TokenRules {
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** A token without `exp` is refused. */
  readonly needsExpiry?: boolean;
}

export interface Token {
  readonly username: string;
  readonly keyId: string;
  /** Wall clock, in ms since 1970. */
  readonly expiresAtMs: number | undefined;
  readonly topics: TopicClaims | undefined;
}

/** True for three parts in base64url, the first of which is a JSON object. */
export function looksLikeToken(password: Buffer): boolean {
  return password.length > 20 && /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(password.toString('latin1'));
}

/** @throws AccessError */
export function readTokenKeys(path: string, source: string): TokenKey[] {
  if (source.length > FILE_CHARS_MAX) throw new AccessError([`${path}: the file is too large`]);
  const problems: string[] = [];
  const keys: TokenKey[] = [];
  const lineAt = (index: number): number => source.slice(0, index).split('\n').length;
  for (const match of source.matchAll(PEM_BLOCK)) {
    const key = readPem(match[0], match[1] ?? '');
    if (typeof key === 'string') problems.push(`${path}:${lineAt(match.index)}: ${key}`);
    else keys.push(key);
  }
  if (keys.length === 0 && problems.length === 0) {
    const key = readSecret(source);
    if (typeof key === 'string') problems.push(`${path}:1: ${key}`);
    else keys.push(key);
  }
  if (keys.length > KEYS_MAX) problems.push(`${path}: more than ${KEYS_MAX} keys`);
  if (problems.length > 0) throw new AccessError(problems);
  return keys;
}

/** @param now wall clock, in ms. @returns the token's contents, or why it is invalid */
export async function checkToken(
  password: Buffer,
  keys: readonly TokenKey[],
  rules: TokenRules,
  now: number = Date.now(),
): Promise<Token | string> {
  const text = password.toString('latin1');
  let reason = 'no key is for the algorithm of the token';
  try {
    const { alg } = decodeProtectedHeader(text);
    for (const { id, algorithm, key } of keys) {
      if (algorithm !== alg) continue;
      const options: JWTVerifyOptions = {
        algorithms: [algorithm],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(now),
      };
      if (rules.issuer !== undefined) options.issuer = rules.issuer;
      if (rules.audience !== undefined) options.audience = rules.audience;
      try {
        const { payload } = await jwtVerify(text, key, options);
        if (rules.needsExpiry && payload.exp === undefined) return NO_EXPIRY;
        return readClaims(payload, id);
      } catch (error) {
        reason = reasonOf(error);
      }
    }
  } catch {
    return 'the token is malformed';
  }
  return reason;
}

/** The reason by jose's error codes; importing its error classes would enlarge the program. */
function reasonOf(error: unknown): string {
  const { code, claim, payload } = error as {
    code?: string;
    claim?: string;
    payload?: { exp?: number; nbf?: number };
  };
  const at = (seconds = 0): string => new Date(seconds * 1000).toISOString();
  if (code === 'ERR_JWT_EXPIRED') return `the token expired at ${at(payload?.exp)}`;
  if (claim === 'nbf') return `the token is not valid before ${at(payload?.nbf)}`;
  return error instanceof Error ? error.message : String(error);
}

function readClaims(claims: Readonly<Record<string, unknown>>, keyId: string): Token | string {
  const { sub, exp } = claims;
  if (typeof sub !== 'string' || sub === '' || Buffer.byteLength(sub) > STRING_BYTES_MAX) {
    return 'the token has no subject (sub), which is the user name';
  }
  const topics = readTopicClaims(claims);
  if (topics === 'invalid') return 'publ and subs of the token must be lists of topic filters';
  const expiresAtMs = typeof exp === 'number' ? exp * 1000 : undefined;
  return { username: sub, keyId, expiresAtMs, topics };
}

function readPem(pem: string, label: string): TokenKey | string {
  if (label.includes('PRIVATE')) {
    return 'this is a private key; the file must contain the public key only';
  }
  try {
    const key = createPublicKey(pem);
    const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
    const id = idOf(key.export({ type: 'spki', format: 'der' }));
    if (key.asymmetricKeyType === 'rsa') {
      if (modulusLength < RSA_BITS_MIN) return `an RSA key must have at least ${RSA_BITS_MIN} bits`;
      return { id, algorithm: 'RS256', key };
    }
    if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') {
      return { id, algorithm: 'ES256', key };
    }
    return 'a key must be RSA (RS256) or on the curve P-256 (ES256)';
  } catch (error) {
    return `not a public key: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function readSecret(source: string): TokenKey | string {
  const secret = Buffer.from(source.replace(/\r?\n$/, ''));
  if (source.includes('-----BEGIN')) return 'the PEM block is incomplete';
  if (isPublic(source)) return 'this is a public key, but not in PEM (-----BEGIN PUBLIC KEY-----)';
  if (secret.length < SECRET_BYTES_MIN) {
    return `neither a public key in PEM nor a secret of at least ${SECRET_BYTES_MIN} bytes`;
  }
  return { id: idOf(secret), algorithm: 'HS256', key: createSecretKey(secret) };
}

/**
 * True for a public key in another form: a JWK, a line of SSH, or PEM without its first line. Used as a
 * secret, it would let everyone who knows it sign tokens.
 */
function isPublic(source: string): boolean {
  if (/^\s*([{[]|ssh-|ecdsa-)/.test(source)) return true;
  const der = Buffer.from(source, 'base64');
  const attempts = [
    () => createPublicKey({ key: der, format: 'der', type: 'spki' }),
    () => createPublicKey({ key: der, format: 'der', type: 'pkcs1' }),
    () => new X509Certificate(der),
  ];
  return attempts.some((attempt) => {
    try {
      return attempt() !== undefined;
    } catch {
      return false;
    }
  });
}

function idOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
