// Frames of the bulk channel, the TLS connections between nodes: PUBLISH packets that are too large for
// datagrams, retained values of that size, and whatever the node exchanges beside them. Big endian.
// docs/protocol-bulk.md has the same layout.
// Invariants: reading never throws; no frame is buffered before its length is within the bound; one that
// is longer is skipped, so that the frames behind it are read.
//
//   frame    offset  size  field
//                 0     4  length of what follows
//                 4     1  kind
//                 5     n  body
//
//   hello         0     1  version, 1
//   (kind 1)      1     8  boot id of the node that has opened the connection
//                 9     8  boot id of the node that it is meant for
//
//   publish       0     n  MQTT 5 PUBLISH packet; if DUP is set, its stamp follows: cluster time (6),
//   (kind 2)               sequence (6)
//
//   repair        0     1  flags: bit 0 = the last block that answers the request
//   (kind 3)      1     4  request that the block answers
//                 5     8  boot id of the node whose writes these are
//                13     6  first number of the range that the block covers
//                19     6  last number of the range
//                25     n  MQTT 5 PUBLISH packets with DUP and RETAIN set, behind each its stamp
//
//   Kinds from 16 on belong to sessions (src/node/replication/session-codec.ts).

import type { RepairHead } from './repair-codec.ts';

export const FRAME_HEADER_BYTES = 4;
export const BulkKind = { hello: 1, publish: 2, repair: 3 } as const;
export const HELLO_VERSION = 1;

const HELLO_BYTES = 17;
const REPAIR_BYTES = 25;
const COUNTER_BYTES = 6;
const FLAG_LAST = 0x01;

/** @returns the bytes of a frame; `parts` are copied */
export function encodeFrame(kind: number, ...parts: readonly Buffer[]): Buffer {
  const bytes = parts.reduce((sum, part) => sum + part.length, 1);
  const frame = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + bytes);
  frame.writeUInt32BE(bytes, 0);
  frame[FRAME_HEADER_BYTES] = kind;
  let at = FRAME_HEADER_BYTES + 1;
  for (const part of parts) at += part.copy(frame, at);
  return frame;
}

export interface Hello {
  readonly from: bigint;
  readonly to: bigint;
}

export function encodeHello({ from, to }: Hello): Buffer {
  const body = Buffer.alloc(HELLO_BYTES);
  body[0] = HELLO_VERSION;
  body.writeBigUInt64BE(from, 1);
  body.writeBigUInt64BE(to, 9);
  return encodeFrame(BulkKind.hello, body);
}

/** @returns undefined for a body that is no hello of this version */
export function decodeHello(body: Buffer): Hello | undefined {
  if (body.length !== HELLO_BYTES || body[0] !== HELLO_VERSION) return undefined;
  return { from: body.readBigUInt64BE(1), to: body.readBigUInt64BE(9) };
}

export function encodeRepairFrame(head: RepairHead, packets: readonly Buffer[]): Buffer {
  const body = Buffer.alloc(REPAIR_BYTES);
  body[0] = head.isLast ? FLAG_LAST : 0;
  body.writeUInt32BE(head.requestId, 1);
  body.writeBigUInt64BE(head.writer, 5);
  body.writeUIntBE(head.from, 13, COUNTER_BYTES);
  body.writeUIntBE(head.to, 19, COUNTER_BYTES);
  return encodeFrame(BulkKind.repair, body, ...packets);
}

/** @returns undefined for a body that is too short; `packets` is a view */
export function decodeRepairFrame(
  body: Buffer,
): { readonly head: RepairHead; readonly packets: Buffer } | undefined {
  if (body.length < REPAIR_BYTES) return undefined;
  const head = {
    isLast: (body[0]! & FLAG_LAST) !== 0,
    requestId: body.readUInt32BE(1),
    writer: body.readBigUInt64BE(5),
    from: body.readUIntBE(13, COUNTER_BYTES),
    to: body.readUIntBE(19, COUNTER_BYTES),
  };
  return { head, packets: body.subarray(REPAIR_BYTES) };
}

/** Cuts the frames out of one connection's bytes. */
export class FrameReader {
  /** Frames that were longer than the bound. */
  skipped = 0;
  /** Of kind and body. Before its hello a peer may send nothing longer. */
  bytesMax = 1 + HELLO_BYTES;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** Undefined between two frames and while one is skipped. */
  #frame: Buffer | undefined;
  #filled = 0;
  #toSkip = 0;

  /** @param take gets kind and body of each frame that is whole now, in order; the body is its own */
  push(chunk: Buffer, take: (kind: number, body: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#toSkip > 0) {
        const skip = Math.min(this.#toSkip, chunk.length - at);
        this.#toSkip -= skip;
        at += skip;
      } else if (this.#frame === undefined) {
        at += this.#takeHeader(chunk, at);
      } else {
        at += this.#fill(this.#frame, chunk, at, take);
      }
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#header, this.#headerBytes, at);
    this.#headerBytes += taken;
    if (this.#headerBytes < FRAME_HEADER_BYTES) return taken;
    this.#headerBytes = 0;
    const bytes = this.#header.readUInt32BE(0);
    if (bytes > this.bytesMax) {
      this.skipped += 1;
      this.#toSkip = bytes;
    } else if (bytes > 0) {
      this.#frame = Buffer.allocUnsafeSlow(bytes);
      this.#filled = 0;
    }
    return taken;
  }

  #fill(
    frame: Buffer,
    chunk: Buffer,
    at: number,
    take: (kind: number, body: Buffer) => void,
  ): number {
    const taken = chunk.copy(frame, this.#filled, at);
    this.#filled += taken;
    if (this.#filled === frame.length) {
      this.#frame = undefined;
      take(frame[0]!, frame.subarray(1));
    }
    return taken;
  }
}
