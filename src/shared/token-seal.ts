// Cluster tokens on their way from one node to another, encrypted and authenticated under a key of a token that both
// have, since gossip may be readable for all. The recipient's name is part of what is authenticated. Knows
// nothing of requests. An attacker with the old token can read the new one in recorded datagrams.
//
//   offset  size  field of the sealed bytes, which travel as base64
//        0    12  random nonce
//       12     n  AES-256-GCM of the tokens as a JSON array
//     12+n    16  GCM tag; additional data: the recipient's name

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { PresharedKeys } from './key-ring.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface SealedTokens {
  /** Identity of the key. */
  readonly key: string;
  readonly sealed: string;
}

export function sealTokens(
  tokens: readonly string[],
  { own: { identity, key } }: PresharedKeys,
  recipient: string,
): SealedTokens {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  cipher.setAAD(Buffer.from(recipient));
  const body = [cipher.update(JSON.stringify(tokens), 'utf8'), cipher.final()];
  const sealed = Buffer.concat([nonce, ...body, cipher.getAuthTag()]).toString('base64');
  return { key: identity, sealed };
}

/** @returns undefined for what was not sealed for this recipient under a token that it has */
export function openTokens(
  { key: identity, sealed }: SealedTokens,
  { accepted }: PresharedKeys,
  recipient: string,
): string[] | undefined {
  const key = accepted.get(identity);
  const bytes = Buffer.from(sealed, 'base64');
  if (key === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const end = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(Buffer.from(recipient));
  decipher.setAuthTag(bytes.subarray(end));
  try {
    const body = [decipher.update(bytes.subarray(NONCE_BYTES, end)), decipher.final()];
    const tokens: unknown = JSON.parse(Buffer.concat(body).toString('utf8'));
    return Array.isArray(tokens) && tokens.every(isToken) ? tokens : undefined;
  } catch {
    return undefined;
  }
}

/** One line of a file of tokens, which is UTF-8. */
function isToken(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && !/[\r\n]|\p{Surrogate}/u.test(value);
}
