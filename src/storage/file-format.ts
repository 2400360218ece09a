// The file format of logs and snapshots: a header, then checksummed blocks. Does not know records.
//
//   file header, 32 bytes       0  magic "SHOALDB\n"
//                               8  u16 version of the format
//                              10  u8  kind: 1 log, 2 snapshot
//                              11  u8  flags: 1 = a log that is valid only with its snapshot
//                              12  u32 generation
//                              16  u64 run: random number of the process that wrote it
//                              24  u32 0
//                              28  u32 CRC of bytes 0 to 27, in every version of the format
//
//   block, 28 bytes + payload   0  u32 magic
//                               4  u32 length of the payload
//                               8  f64 wall clock, ms since 1970
//                              16  f64 clock of the run, ms
//                              24  u32 CRC of bytes 4 to 23 and the payload
//
// All numbers are little-endian. A block holds the records of one or more turns of the event loop
// and counts whole or not at all. Generation and offset seed its CRC, so that bytes which an earlier
// file left on the disk never pass for a block of this one.

import { crc32 } from './crc32.ts';

export const FORMAT_VERSION = 1;
export const HEADER_BYTES = 32;
export const BLOCK_HEAD_BYTES = 28;
const MAGIC = Buffer.from('SHOALDB\n', 'latin1');
export const BLOCK_MAGIC = Buffer.from([0xb1, 0x0c, 0x5e, 0xa1]);
const CRC_AT = 28;
const BLOCK_CRC_AT = 24;
const SCATTER = 0x9e3779b1;

export type FileKind = 'log' | 'snapshot';

export interface FileHeader {
  readonly version: number;
  readonly kind: FileKind;
  /** The log is valid only with the snapshot of its generation: earlier changes were not written. */
  readonly needsSnapshot: boolean;
  readonly generation: number;
  readonly run: bigint;
}

export interface Stamp {
  /** Milliseconds since 1970; may jump. */
  readonly wall: number;
  /** Milliseconds of the run's clock; never goes back within a run. */
  readonly mono: number;
}

export function encodeHeader(header: Omit<FileHeader, 'version'>): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt16LE(FORMAT_VERSION, 8);
  bytes[10] = header.kind === 'log' ? 1 : 2;
  bytes[11] = header.needsSnapshot ? 1 : 0;
  bytes.writeUInt32LE(header.generation, 12);
  bytes.writeBigUInt64LE(header.run, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_AT)), CRC_AT);
  return bytes;
}

/** @returns undefined if the header is damaged or belongs to another kind of file */
export function decodeHeader(bytes: Buffer): FileHeader | undefined {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    return undefined;
  }
  if (bytes.readUInt32LE(CRC_AT) !== crc32(bytes.subarray(0, CRC_AT))) return undefined;
  return {
    version: bytes.readUInt16LE(8),
    kind: bytes[10] === 1 ? 'log' : 'snapshot',
    needsSnapshot: bytes[11] === 1,
    generation: bytes.readUInt32LE(12),
    run: bytes.readBigUInt64LE(16),
  };
}

/** Fills in the head of a block. @param block room for the head, followed by the payload */
export function sealBlock(block: Buffer, generation: number, offset: number, stamp: Stamp): void {
  BLOCK_MAGIC.copy(block);
  block.writeUInt32LE(block.length - BLOCK_HEAD_BYTES, 4);
  block.writeDoubleLE(stamp.wall, 8);
  block.writeDoubleLE(stamp.mono, 16);
  block.writeUInt32LE(blockCrc(block, generation, offset), BLOCK_CRC_AT);
}

/** Length in bytes of the block that begins with `head`, or 0 if `head` is not the head of a block. */
export function announcedBytes(head: Buffer): number {
  if (head.length < BLOCK_HEAD_BYTES) return 0;
  if (!head.subarray(0, BLOCK_MAGIC.length).equals(BLOCK_MAGIC)) return 0;
  return BLOCK_HEAD_BYTES + head.readUInt32LE(4);
}

export function isIntact(block: Buffer, generation: number, offset: number): boolean {
  return block.readUInt32LE(BLOCK_CRC_AT) === blockCrc(block, generation, offset);
}

export function stampOf(block: Buffer): Stamp {
  return { wall: block.readDoubleLE(8), mono: block.readDoubleLE(16) };
}

function blockCrc(block: Buffer, generation: number, offset: number): number {
  const seed = (Math.imul(generation, SCATTER) ^ offset ^ Math.floor(offset / 2 ** 32)) >>> 0;
  const head = crc32(block.subarray(BLOCK_MAGIC.length, BLOCK_CRC_AT), seed);
  return crc32(block.subarray(BLOCK_HEAD_BYTES), head);
}
