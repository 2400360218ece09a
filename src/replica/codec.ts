// How digests, requests and blocks of registers are written on the gossip port. Retained values do not
// use this block: they travel as PUBLISH packets on the sync port (docs/protocol.md).
// Invariant: decode never throws; what is malformed is undefined.
//
//   offset  size  field (all numbers big endian)
//        0     1  map: 1 retained, 2 clients, 3 nodes, 4 groups, 5 filters, 6 bridges
//        1     1  kind: 1 digest, 2 request, 3 block
//
//   digest  2  2  number of the digest, from the same member
//           4  1  page, from 0
//           5  1  pages
//           6  n  entries: writer (8), count (1), ranges: from (6), to (6)
//   request 2  2  reserved
//           4  4  request id
//           8  n  ranges: writer (8), from (6), to (6)
//   block   2  1  flags: bit 0 last
//           3  1  reserved
//           4  4  request id; 0 for writes that were just made
//           8 20  writer, from, to
//          28  n  registers: flags (1, bit 0 has a value), time (6), sequence (6),
//                 key length (2), key, value length (2), value
//
// What pings and acks carry: cluster time (6), then for each map its number (1) and its hash (7).

import type { Range } from './coverage.ts';
import type { DigestEntry } from './register-map.ts';
import type { LogRange, Request } from './repair-port.ts';

export const MapId = {
  retained: 1,
  clients: 2,
  nodes: 3,
  groups: 4,
  filters: 5,
  bridges: 6,
} as const;

const DIGEST = 1;
const REQUEST = 2;
const BLOCK = 3;

const DIGEST_HEAD_BYTES = 6;
const REQUEST_HEAD_BYTES = 8;
const BLOCK_HEAD_BYTES = 28;
const ENTRY_HEAD_BYTES = 9;
const RANGE_BYTES = 12;
const LOG_RANGE_BYTES = 20;
const REGISTER_HEAD_BYTES = 17;
const STATE_HEAD_BYTES = 6;
const HASH_ENTRY_BYTES = 8;
const FLAG_LAST = 0x01;
const FLAG_HAS_VALUE = 0x01;
const ENTRY_RANGES_MAX = 64;
/** A digest of more pages is not sent. */
export const DIGEST_PAGES_MAX = 64;

export interface DigestPage {
  readonly number: number;
  readonly page: number;
  readonly pages: number;
  readonly entries: readonly DigestEntry[];
}

/** A register with its value, as it travels. */
export interface RegisterEntry {
  readonly key: string;
  readonly time: number;
  readonly sequence: number;
  /** Undefined where the key was cleared. Decoded: a view into the datagram. */
  readonly value: Buffer | undefined;
}

export interface BlockMessage {
  readonly requestId: number;
  readonly isLast: boolean;
  readonly range: LogRange;
  readonly registers: readonly RegisterEntry[];
}

export type ReplicaMessage =
  | ({ readonly kind: 'digest' } & DigestPage)
  | ({ readonly kind: 'request' } & Request)
  | ({ readonly kind: 'block' } & BlockMessage);

/**
 * @param bytesMax of each page
 * @returns the pages; none where there are too many
 */
export function encodeDigest(
  map: number,
  number: number,
  entries: readonly DigestEntry[],
  bytesMax: number,
): Buffer[] {
  const pages: Buffer[] = [];
  let page = Buffer.allocUnsafe(bytesMax);
  let at = DIGEST_HEAD_BYTES;
  const close = (): void => {
    pages.push(page.subarray(0, at));
    page = Buffer.allocUnsafe(bytesMax);
    at = DIGEST_HEAD_BYTES;
  };
  for (const { writer, known } of entries) {
    for (let first = 0; first === 0 || first < known.length; first += ENTRY_RANGES_MAX) {
      const ranges = known.slice(first, first + ENTRY_RANGES_MAX);
      if (at + ENTRY_HEAD_BYTES + ranges.length * RANGE_BYTES > bytesMax) close();
      at = page.writeBigUInt64BE(writer, at);
      at = page.writeUInt8(ranges.length, at);
      for (const range of ranges) at = writeRange(page, at, range);
    }
  }
  close();
  if (pages.length > DIGEST_PAGES_MAX) return [];
  for (const [index, bytes] of pages.entries()) {
    bytes[0] = map;
    bytes[1] = DIGEST;
    bytes.writeUInt16BE(number, 2);
    bytes[4] = index;
    bytes[5] = pages.length;
  }
  return pages;
}

export function encodeRequest(map: number, { id, ranges }: Request): Buffer {
  const bytes = Buffer.alloc(REQUEST_HEAD_BYTES + ranges.length * LOG_RANGE_BYTES);
  bytes[0] = map;
  bytes[1] = REQUEST;
  bytes.writeUInt32BE(id, 4);
  let at = REQUEST_HEAD_BYTES;
  for (const range of ranges) at = writeLogRange(bytes, at, range);
  return bytes;
}

/** Bytes that a register takes in a block. */
export function registerBytes(keyBytes: number, valueBytes: number): number {
  return REGISTER_HEAD_BYTES + keyBytes + valueBytes;
}

/** Room for registers in a block that is `bytesMax` long. */
export function blockRoom(bytesMax: number): number {
  return bytesMax - BLOCK_HEAD_BYTES;
}

export function encodeBlock(map: number, block: BlockMessage): Buffer {
  const parts: Buffer[] = [Buffer.alloc(BLOCK_HEAD_BYTES)];
  const head = parts[0]!;
  head[0] = map;
  head[1] = BLOCK;
  head[2] = block.isLast ? FLAG_LAST : 0;
  head.writeUInt32BE(block.requestId, 4);
  writeLogRange(head, 8, block.range);
  for (const { key, time, sequence, value } of block.registers) {
    const keyBytes = Buffer.from(key, 'utf8');
    const register = Buffer.alloc(REGISTER_HEAD_BYTES - 2 + keyBytes.length);
    register[0] = value === undefined ? 0 : FLAG_HAS_VALUE;
    register.writeUIntBE(time, 1, 6);
    register.writeUIntBE(sequence, 7, 6);
    register.writeUInt16BE(keyBytes.length, 13);
    keyBytes.copy(register, 15);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(value?.length ?? 0);
    parts.push(register, length);
    if (value !== undefined) parts.push(value);
  }
  return Buffer.concat(parts);
}

export interface ReplicaState {
  /** Cluster time, ms. */
  readonly time: number;
  /** By map: Replica.hash. */
  readonly hashes: ReadonlyMap<number, number>;
}

export function encodeState({ time, hashes }: ReplicaState): Buffer {
  const bytes = Buffer.allocUnsafe(STATE_HEAD_BYTES + hashes.size * HASH_ENTRY_BYTES);
  let at = bytes.writeUIntBE(time, 0, 6);
  for (const [map, hash] of hashes) {
    at = bytes.writeUInt8(map, at);
    at = bytes.writeUInt8(Math.floor(hash / 2 ** 48), at);
    at = bytes.writeUIntBE(hash % 2 ** 48, at, 6);
  }
  return bytes;
}

/** @returns undefined for what is malformed */
export function decodeState(bytes: Buffer): ReplicaState | undefined {
  const room = bytes.length - STATE_HEAD_BYTES;
  if (room < 0 || room % HASH_ENTRY_BYTES !== 0) return undefined;
  const hashes = new Map<number, number>();
  for (let at = STATE_HEAD_BYTES; at < bytes.length; at += HASH_ENTRY_BYTES) {
    hashes.set(bytes[at]!, bytes[at + 1]! * 2 ** 48 + bytes.readUIntBE(at + 2, 6));
  }
  return { time: bytes.readUIntBE(0, 6), hashes };
}

/** @returns which map the message is about, 0 where it says none */
export function mapOf(bytes: Buffer): number {
  return bytes[0] ?? 0;
}

/** @returns undefined for what is malformed or of an unknown kind; values are views into `bytes` */
export function decodeReplicaMessage(bytes: Buffer): ReplicaMessage | undefined {
  switch (bytes[1]) {
    case DIGEST:
      return readDigest(bytes);
    case REQUEST:
      return readRequest(bytes);
    case BLOCK:
      return readBlock(bytes);
    default:
      return undefined;
  }
}

function readDigest(bytes: Buffer): ReplicaMessage | undefined {
  if (bytes.length < DIGEST_HEAD_BYTES) return undefined;
  const [page, pages] = [bytes[4]!, bytes[5]!];
  if (page >= pages || pages > DIGEST_PAGES_MAX) return undefined;
  const entries: DigestEntry[] = [];
  let at = DIGEST_HEAD_BYTES;
  while (at < bytes.length) {
    if (at + ENTRY_HEAD_BYTES > bytes.length) return undefined;
    const writer = bytes.readBigUInt64BE(at);
    const count = bytes[at + 8]!;
    at += ENTRY_HEAD_BYTES;
    const end = at + count * RANGE_BYTES;
    if (end > bytes.length) return undefined;
    const known: Range[] = [];
    for (; at < end; at += RANGE_BYTES) {
      const range = readRange(bytes, at);
      if (range === undefined) return undefined;
      known.push(range);
    }
    entries.push({ writer, known });
  }
  return { kind: 'digest', number: bytes.readUInt16BE(2), page, pages, entries };
}

function readRequest(bytes: Buffer): ReplicaMessage | undefined {
  const room = bytes.length - REQUEST_HEAD_BYTES;
  if (room < 0 || room % LOG_RANGE_BYTES !== 0) return undefined;
  const ranges: LogRange[] = [];
  for (let at = REQUEST_HEAD_BYTES; at < bytes.length; at += LOG_RANGE_BYTES) {
    const range = readRange(bytes, at + 8);
    if (range === undefined) return undefined;
    ranges.push({ writer: bytes.readBigUInt64BE(at), ...range });
  }
  return { kind: 'request', id: bytes.readUInt32BE(4), ranges };
}

function readBlock(bytes: Buffer): ReplicaMessage | undefined {
  if (bytes.length < BLOCK_HEAD_BYTES) return undefined;
  const range = readRange(bytes, 16);
  if (range === undefined) return undefined;
  const registers: RegisterEntry[] = [];
  let at = BLOCK_HEAD_BYTES;
  while (at < bytes.length) {
    const found = readRegister(bytes, at);
    if (found === undefined) return undefined;
    registers.push(found.register);
    at = found.end;
  }
  return {
    kind: 'block',
    requestId: bytes.readUInt32BE(4),
    isLast: (bytes[2]! & FLAG_LAST) !== 0,
    range: { writer: bytes.readBigUInt64BE(8), ...range },
    registers,
  };
}

function readRegister(
  bytes: Buffer,
  at: number,
): { readonly register: RegisterEntry; readonly end: number } | undefined {
  const keyAt = at + 15;
  if (keyAt > bytes.length) return undefined;
  const valueLengthAt = keyAt + bytes.readUInt16BE(at + 13);
  const valueAt = valueLengthAt + 2;
  if (valueAt > bytes.length) return undefined;
  const end = valueAt + bytes.readUInt16BE(valueLengthAt);
  if (end > bytes.length) return undefined;
  const hasValue = (bytes[at]! & FLAG_HAS_VALUE) !== 0;
  const register = {
    key: bytes.toString('utf8', keyAt, valueLengthAt),
    time: bytes.readUIntBE(at + 1, 6),
    sequence: bytes.readUIntBE(at + 7, 6),
    value: hasValue ? bytes.subarray(valueAt, end) : undefined,
  };
  return { register, end };
}

function writeRange(bytes: Buffer, at: number, { from, to }: Range): number {
  return bytes.writeUIntBE(to, bytes.writeUIntBE(from, at, 6), 6);
}

function writeLogRange(bytes: Buffer, at: number, range: LogRange): number {
  return writeRange(bytes, bytes.writeBigUInt64BE(range.writer, at), range);
}

/** Sequence numbers begin with 1. */
function readRange(bytes: Buffer, at: number): Range | undefined {
  const from = bytes.readUIntBE(at, 6);
  const to = bytes.readUIntBE(at + 6, 6);
  return from === 0 || from > to ? undefined : { from, to };
}
