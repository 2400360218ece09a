// The outer form of every datagram on both UDP ports: the sender's boot id and counter, and the proof
// that the sender knows the token. Knows nothing of the body.
// Invariant: open() never throws, whatever the bytes are.
//
//   offset  size  field
//        0     2  magic 0x53 0x48 ("SH")
//        2     1  version, 1
//        3     1  flags: bit 0 = body is encrypted (AES-256-GCM in place of the HMAC), bit 1 = the body
//                 is a probe (docs/protocol.md), not for the channel itself
//        4     4  key id, big endian
//        8     8  boot id of the sender, random for each start of a process
//       16     8  counter, big endian, from 1, strictly increasing within a boot id and channel
//       24     n  body
//     24+n    16  HMAC-SHA256 over bytes 0..24+n cut to 16 bytes, or the GCM tag
//
// With encryption bytes 0..24 are the additional data, the key is derived for each boot id and
// the 12-byte nonce is four zero bytes and the counter, so no nonce is ever used twice.

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { type ChannelKey, type ChannelKeys, expand } from './key-ring.ts';

export const ENVELOPE_HEADER_BYTES = 24;
export const ENVELOPE_TAG_BYTES = 16;
export const ENVELOPE_BYTES = ENVELOPE_HEADER_BYTES + ENVELOPE_TAG_BYTES;

const MAGIC = 0x5348;
const VERSION = 1;
const FLAG_ENCRYPTED = 0x01;
const FLAG_PROBE = 0x02;
const BOOT_KEYS_MAX = 1024;

/** Why a datagram is dropped; each reason has a counter. */
export type EnvelopeFault =
  | 'short' // fewer bytes than an empty envelope
  | 'foreign' // not our magic or version
  | 'unknownKey' // signed with a token that this node does not have
  | 'badMac' // the proof is wrong
  | 'wrongMode'; // encrypted where this node is not, or the other way round; the proof is not checked

export function newEnvelopeFaults(): Record<EnvelopeFault, number> {
  return { short: 0, foreign: 0, unknownKey: 0, badMac: 0, wrongMode: 0 };
}

export interface Opened {
  readonly bootId: bigint;
  readonly counter: number;
  /** A view into the datagram, or into the decrypted copy. */
  readonly body: Buffer;
}

/** Seals datagrams under one boot id. Each channel of a process has one Sealer. */
export class Sealer {
  readonly bootId: bigint;
  #keys: ChannelKeys;
  readonly #encrypt: boolean;
  readonly #flags: number;
  #counter = 0;
  #bootKey: Buffer | undefined;

  constructor(keys: ChannelKeys, bootId: bigint, encrypt: boolean, isProbe = false) {
    this.#keys = keys;
    this.bootId = bootId;
    this.#encrypt = encrypt;
    this.#flags = (encrypt ? FLAG_ENCRYPTED : 0) | (isProbe ? FLAG_PROBE : 0);
  }

  /** Counter of the last sealed datagram; 0 before the first. */
  get counter(): number {
    return this.#counter;
  }

  /**
   * Seals in place and uses up one counter value.
   * @param buffer holds the body from ENVELOPE_HEADER_BYTES on, and room for ENVELOPE_TAG_BYTES behind
   *   it; remains the caller's
   * @param bodyEnd offset behind the body
   * @returns the datagram, a view into `buffer`
   */
  seal(buffer: Buffer, bodyEnd: number): Buffer {
    const key = this.#keys.signing;
    this.#counter += 1;
    buffer.writeUInt16BE(MAGIC, 0);
    buffer[2] = VERSION;
    buffer[3] = this.#flags;
    buffer.writeUInt32BE(key.id, 4);
    buffer.writeBigUInt64BE(this.bootId, 8);
    writeCounter(buffer, this.#counter);
    if (this.#encrypt) {
      this.#bootKey ??= bootKey(key, this.bootId);
      encryptInPlace(buffer, bodyEnd, this.#bootKey);
    } else {
      key.mac.sign(buffer, bodyEnd, ENVELOPE_TAG_BYTES);
    }
    return buffer.subarray(0, bodyEnd + ENVELOPE_TAG_BYTES);
  }

  /** Signs with other keys from now on (token rotation). The counter goes on. */
  rekey(keys: ChannelKeys): void {
    this.#keys = keys;
    this.#bootKey = undefined;
  }
}

/** Opens datagrams of any sender. Does not check freshness: the caller has a replay window. */
export class Opener {
  #keys: ChannelKeys;
  readonly #encrypted: boolean;
  /** Derived keys by `key id/boot id`, of authenticated senders only; the oldest is dropped first. */
  readonly #bootKeys = new Map<string, Buffer>();

  constructor(keys: ChannelKeys, encrypted: boolean) {
    this.#keys = keys;
    this.#encrypted = encrypted;
  }

  rekey(keys: ChannelKeys): void {
    this.#keys = keys;
    this.#bootKeys.clear();
  }

  /** A cheap check without cryptography. @returns undefined where it finds no fault, which proves nothing */
  precheck(datagram: Buffer): EnvelopeFault | undefined {
    if (datagram.length < ENVELOPE_BYTES) return 'short';
    if (datagram.readUInt16BE(0) !== MAGIC || datagram[2] !== VERSION) return 'foreign';
    return this.#keys.accepted.has(datagram.readUInt32BE(4)) ? undefined : 'unknownKey';
  }

  open(datagram: Buffer): Opened | EnvelopeFault {
    const fault = this.precheck(datagram);
    if (fault !== undefined) return fault;
    const key = this.#keys.accepted.get(datagram.readUInt32BE(4));
    if (key === undefined) return 'unknownKey';
    const counterHigh = datagram.readUInt32BE(16);
    if (counterHigh > 0x1fffff) return 'badMac';
    const counter = counterHigh * 0x100000000 + datagram.readUInt32BE(20);
    const bootId = datagram.readBigUInt64BE(8);
    // Before any cryptography: a decryption that fails costs several times as much as a MAC.
    if (isEncrypted(datagram) !== this.#encrypted) return 'wrongMode';
    const body = this.#bodyOf(key, bootId, datagram);
    return body === undefined ? 'badMac' : { bootId, counter, body };
  }

  /**
   * Checks the proof of a datagram in whichever mode it has, so that a line about 'wrongMode' is never
   * a stranger's work. Costs more than open(): the caller limits the rate.
   */
  isAuthentic(datagram: Buffer): boolean {
    if (this.precheck(datagram) !== undefined) return false;
    const key = this.#keys.accepted.get(datagram.readUInt32BE(4));
    if (key === undefined) return false;
    return this.#bodyOf(key, datagram.readBigUInt64BE(8), datagram) !== undefined;
  }

  #bodyOf(key: ChannelKey, bootId: bigint, datagram: Buffer): Buffer | undefined {
    return isEncrypted(datagram)
      ? this.#decrypt(key, bootId, datagram)
      : verifiedBody(key, datagram);
  }

  #decrypt(key: ChannelKey, bootId: bigint, datagram: Buffer): Buffer | undefined {
    const name = `${key.id}/${bootId}`;
    const known = this.#bootKeys.get(name);
    const secret = known ?? bootKey(key, bootId);
    const body = decrypt(datagram, secret);
    if (body !== undefined && known === undefined) {
      if (this.#bootKeys.size >= BOOT_KEYS_MAX) {
        this.#bootKeys.delete(this.#bootKeys.keys().next().value!);
      }
      this.#bootKeys.set(name, secret);
    }
    return body;
  }
}

/** A probe goes past the channel that it arrives on. Says nothing about who sent it. */
export function isProbe(datagram: Buffer): boolean {
  if (datagram.length < ENVELOPE_BYTES || (datagram[3]! & FLAG_PROBE) === 0) return false;
  return datagram.readUInt16BE(0) === MAGIC && datagram[2] === VERSION;
}

/** The boot id and counter that a datagram claims. @param datagram checked by precheck(); not authenticated */
export function claimOf(datagram: Buffer): { readonly bootId: bigint; readonly counter: number } {
  const counter = datagram.readUInt32BE(16) * 0x100000000 + datagram.readUInt32BE(20);
  return { bootId: datagram.readBigUInt64BE(8), counter };
}

function isEncrypted(datagram: Buffer): boolean {
  return (datagram[3]! & FLAG_ENCRYPTED) !== 0;
}

function writeCounter(buffer: Buffer, counter: number): void {
  buffer.writeUInt32BE(Math.floor(counter / 0x100000000), 16);
  buffer.writeUInt32BE(counter >>> 0, 20);
}

function verifiedBody(key: ChannelKey, datagram: Buffer): Buffer | undefined {
  const end = datagram.length - ENVELOPE_TAG_BYTES;
  return key.mac.verify(datagram, end) ? datagram.subarray(ENVELOPE_HEADER_BYTES, end) : undefined;
}

function bootKey(key: ChannelKey, bootId: bigint): Buffer {
  return expand(key.cipherRoot, `boot/${bootId.toString(16)}`, 32);
}

function nonce(buffer: Buffer): Buffer {
  const bytes = Buffer.alloc(12);
  buffer.copy(bytes, 4, 16, 24);
  return bytes;
}

function encryptInPlace(buffer: Buffer, bodyEnd: number, secret: Buffer): void {
  const cipher = createCipheriv('aes-256-gcm', secret, nonce(buffer));
  cipher.setAAD(buffer.subarray(0, ENVELOPE_HEADER_BYTES));
  cipher
    .update(buffer.subarray(ENVELOPE_HEADER_BYTES, bodyEnd))
    .copy(buffer, ENVELOPE_HEADER_BYTES);
  cipher.final();
  cipher.getAuthTag().copy(buffer, bodyEnd);
}

function decrypt(datagram: Buffer, secret: Buffer): Buffer | undefined {
  const end = datagram.length - ENVELOPE_TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce(datagram));
  decipher.setAAD(datagram.subarray(0, ENVELOPE_HEADER_BYTES));
  decipher.setAuthTag(datagram.subarray(end));
  const body = decipher.update(datagram.subarray(ENVELOPE_HEADER_BYTES, end));
  try {
    decipher.final();
    return body;
  } catch {
    return undefined;
  }
}
