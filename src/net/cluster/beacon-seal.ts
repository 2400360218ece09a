// The outer form of a beacon: encrypted, so that it shows neither the sender nor the cluster, and of one
// length. Knows nothing of what it says. Invariant: openBeacon() never throws, whatever the bytes are.
//
//   offset  size  field
//        0     2  magic 0x53 0x42 ("SB")
//        2     1  version, 1
//        3     1  reserved, 0
//        4    12  nonce, random
//       16    48  body (src/discovery/beacon-codec.ts), encrypted with AES-256-GCM
//       64    16  tag; bytes 0..16 are the additional data
//
// No key id: it would be the same on all boxes of a cluster, and show a stranger which belong together.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { BEACON_BODY_BYTES } from '../../discovery/beacon-codec.ts';
import type { BeaconKeys } from '../../shared/key-ring.ts';

const MAGIC = 0x5342;
const VERSION = 1;
const NONCE_AT = 4;
const BODY_AT = 16;
const TAG_AT = BODY_AT + BEACON_BODY_BYTES;
export const BEACON_BYTES = TAG_AT + 16;
const CIPHER = 'aes-256-gcm';

/** True for a beacon of any version. Says nothing about who sent it. */
export function isBeacon(datagram: Buffer): boolean {
  return datagram.length > BODY_AT && datagram.readUInt16BE(0) === MAGIC;
}

/** @param nonce 12 bytes, never used before with this key; random unless a test gives it */
export function sealBeacon({ own }: BeaconKeys, body: Buffer, nonce = randomBytes(12)): Buffer {
  const head = Buffer.alloc(BODY_AT);
  head.writeUInt16BE(MAGIC, 0);
  head[2] = VERSION;
  nonce.copy(head, NONCE_AT);
  const cipher = createCipheriv(CIPHER, own, nonce).setAAD(head);
  const sealed = [cipher.update(body), cipher.final()];
  return Buffer.concat([head, ...sealed, cipher.getAuthTag()]);
}

/** @returns the body, or why there is none: damaged, of another version, or made with another token */
export function openBeacon({ accepted }: BeaconKeys, datagram: Buffer): Buffer | BeaconFault {
  if (datagram.length !== BEACON_BYTES || !isBeacon(datagram)) return 'foreign';
  if (datagram[2] !== VERSION) return 'foreign';
  for (const key of accepted) {
    const body = openWith(key, datagram);
    if (body !== undefined) return body;
  }
  return 'unknownKey';
}

export type BeaconFault = 'foreign' | 'unknownKey';

function openWith(key: Buffer, datagram: Buffer): Buffer | undefined {
  const decipher = createDecipheriv(CIPHER, key, datagram.subarray(NONCE_AT, BODY_AT));
  decipher.setAAD(datagram.subarray(0, BODY_AT));
  decipher.setAuthTag(datagram.subarray(TAG_AT));
  const body = decipher.update(datagram.subarray(BODY_AT, TAG_AT));
  try {
    decipher.final();
    return body;
  } catch {
    return undefined;
  }
}
