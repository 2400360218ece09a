// The line that a person copies to a new box, or that its camera reads: where the inviting node is, and a
// secret that opens its door once. Pure: knows nothing of connections. Upper-case base32, which a QR code
// stores in little room and a person can read aloud.
//
//   size  field
//      1  version, 1
//     16  secret, random
//      2  TCP port, big endian
//      1  number of addresses, 1 to 4
//   5, 17 each: length 4 or 16, and the address
//      4  FNV-1a of all bytes before, so that a slip is noticed
//
// Behind the prefix SHOAL-; hyphens, blanks and lower case do not matter.

import type { Endpoint } from '../shared/endpoint.ts';
import { fnv1a } from '../shared/fnv1a.ts';
import { addressToBytes, bytesToAddress } from '../shared/ip-address.ts';

export interface Invitation {
  /** INVITATION_SECRET_BYTES of them. */
  readonly secret: Buffer;
  /** Where the inviting node waits, by each of its addresses; all have one port. */
  readonly endpoints: readonly Endpoint[];
}

export const INVITATION_SECRET_BYTES = 16;
export const INVITATION_ADDRESSES_MAX = 4;

const PREFIX = 'SHOAL-';
const VERSION = 1;
const HEAD_BYTES = 4 + INVITATION_SECRET_BYTES;
const CHECK_BYTES = 4;
const LINE_CHARACTERS_MAX = 1000;
/** RFC 4648. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** @param invitation with 1 to INVITATION_ADDRESSES_MAX IP literals */
export function formatInvitation({ secret, endpoints }: Invitation): string {
  const addresses = endpoints.flatMap(({ address }) => {
    const bytes = addressToBytes(address) ?? Buffer.alloc(0);
    return [Buffer.of(bytes.length), bytes];
  });
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = VERSION;
  secret.copy(head, 1);
  head.writeUInt16BE(endpoints[0]?.port ?? 0, 1 + INVITATION_SECRET_BYTES);
  head[HEAD_BYTES - 1] = endpoints.length;
  const body = Buffer.concat([head, ...addresses]);
  return PREFIX + toBase32(Buffer.concat([body, checkOf(body)]));
}

/** @returns undefined if the line is incomplete, altered, or of another version */
export function parseInvitation(line: string): Invitation | undefined {
  // Blanks and hyphens included; a longer line is none.
  if (line.length > LINE_CHARACTERS_MAX) return undefined;
  const text = line.toUpperCase().replace(/[\s-]/g, '');
  const prefix = PREFIX.replace('-', '');
  const bytes = text.startsWith(prefix) ? fromBase32(text.slice(prefix.length)) : undefined;
  if (bytes === undefined || bytes.length < HEAD_BYTES + CHECK_BYTES) return undefined;
  const body = bytes.subarray(0, -CHECK_BYTES);
  if (!checkOf(body).equals(bytes.subarray(-CHECK_BYTES)) || body[0] !== VERSION) return undefined;
  const secret = Buffer.from(body.subarray(1, 1 + INVITATION_SECRET_BYTES));
  const port = body.readUInt16BE(1 + INVITATION_SECRET_BYTES);
  const count = body[HEAD_BYTES - 1]!;
  if (count === 0 || count > INVITATION_ADDRESSES_MAX || port === 0) return undefined;
  const endpoints: Endpoint[] = [];
  for (let at = HEAD_BYTES; at < body.length; ) {
    const length = body[at]!;
    const address = body.subarray(at + 1, at + 1 + length);
    if ((length !== 4 && length !== 16) || address.length !== length) return undefined;
    endpoints.push({ address: bytesToAddress(address), port });
    at += 1 + length;
  }
  return endpoints.length === count ? { secret, endpoints } : undefined;
}

function checkOf(body: Buffer): Buffer {
  const check = Buffer.alloc(CHECK_BYTES);
  check.writeInt32BE(fnv1a(body, 0, body.length));
  return check;
}

function toBase32(bytes: Buffer): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

/** @returns undefined for other characters, and for bits that no byte has */
function fromBase32(text: string): Buffer | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return undefined;
    value = (value << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >>> bits) & 255);
      value &= (1 << bits) - 1;
    }
  }
  return bits < 5 && value === 0 ? Buffer.from(bytes) : undefined;
}
