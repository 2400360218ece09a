// The repair body of the sync channel: retained values that a peer lacks, as PUBLISH packets with their
// versions. It goes to that peer alone and outside the stream. Large blocks are cut into fragments.
// Big endian. docs/protocol.md has the same layout.
// Invariant: reading never throws; a block is handed on whole or not at all.
//
//   repair  offset  size  field
//                0     1  kind, 5
//                1     1  flags: bit 0 = the last block that answers the request
//                2     1  number of this fragment, from 0
//                3     1  fragments of the block
//                4     4  request that the block answers
//                8     8  boot id of the node whose writes these are
//               16     6  first number of the range that the block covers
//               22     6  last number of the range
//               28     n  the fragment; all together are MQTT 5 PUBLISH packets with DUP and RETAIN set,
//                         behind each its stamp: cluster time (6), sequence of the write (6)

import type { PublishView } from '../mqtt/publish-view.ts';
import type { Stamp } from '../shared/stamp.ts';

export const KIND_REPAIR = 5;
export const REPAIR_HEADER_BYTES = 28;
/** Enough for the largest packet in datagrams of the smallest size. */
export const FRAGMENTS_MAX = 16;

const FLAG_LAST = 0x01;
const COUNTER_BYTES = 6;

export interface RepairHead {
  readonly requestId: number;
  readonly isLast: boolean;
  readonly writer: bigint;
  readonly from: number;
  readonly to: number;
}

/** A retained value with its version; an empty payload clears the topic. */
export interface RepairPacket {
  readonly view: PublishView;
  readonly topic: Buffer;
  readonly stamp: Stamp;
}

export function writeRepairHead(
  buffer: Buffer,
  at: number,
  head: RepairHead,
  fragment: number,
  fragments: number,
): void {
  buffer[at] = KIND_REPAIR;
  buffer[at + 1] = head.isLast ? FLAG_LAST : 0;
  buffer[at + 2] = fragment;
  buffer[at + 3] = fragments;
  buffer.writeUInt32BE(head.requestId, at + 4);
  buffer.writeBigUInt64BE(head.writer, at + 8);
  buffer.writeUIntBE(head.from, at + 16, COUNTER_BYTES);
  buffer.writeUIntBE(head.to, at + 22, COUNTER_BYTES);
}

function readRepairHead(body: Buffer): RepairHead {
  return {
    requestId: body.readUInt32BE(4),
    isLast: (body[1]! & FLAG_LAST) !== 0,
    writer: body.readBigUInt64BE(8),
    from: body.readUIntBE(16, COUNTER_BYTES),
    to: body.readUIntBE(22, COUNTER_BYTES),
  };
}

/** Puts the fragments of one peer's blocks together; one block at a time. */
export class RepairAssembler {
  #head: RepairHead | undefined;
  #fragments: (Buffer | undefined)[] = [];
  #missing = 0;

  /**
   * @param body a repair body, checked by bodyKind(); retained until the block is whole
   * @returns the whole block when this was its last missing fragment
   */
  add(body: Buffer): { readonly head: RepairHead; readonly packets: Buffer } | undefined {
    const head = readRepairHead(body);
    const [number, count] = [body[2]!, body[3]!];
    const fragment = body.subarray(REPAIR_HEADER_BYTES);
    if (number >= count || count > FRAGMENTS_MAX) return undefined;
    if (count === 1) return { head, packets: fragment };
    if (!this.#isOfThisBlock(head, count)) {
      this.#head = head;
      this.#fragments = new Array(count).fill(undefined);
      this.#missing = count;
    }
    if (this.#fragments[number] !== undefined) return undefined;
    this.#fragments[number] = fragment;
    this.#missing -= 1;
    if (this.#missing > 0) return undefined;
    const packets = Buffer.concat(this.#fragments.map((one) => one ?? fragment));
    this.#head = undefined;
    return { head, packets };
  }

  #isOfThisBlock(head: RepairHead, count: number): boolean {
    const current = this.#head;
    return (
      current !== undefined &&
      this.#fragments.length === count &&
      current.requestId === head.requestId &&
      current.writer === head.writer &&
      current.from === head.from
    );
  }
}
