// Records on their way into a file: gathers them, and seals them into blocks at their offsets.

import { BLOCK_HEAD_BYTES, type Stamp, sealBlock } from './file-format.ts';
import { RecordWriter } from './record-writer.ts';

const CAPACITY_MIN = 16_384;
const CAPACITY_MAX = 1_048_576;

export class BlockBuilder {
  records: RecordWriter = newBlock(CAPACITY_MIN);
  readonly #now: () => Stamp;

  constructor(now: () => Stamp) {
    this.#now = now;
  }

  /** Bytes gathered since the last block. */
  get bytes(): number {
    return this.records.length - BLOCK_HEAD_BYTES;
  }

  /** Ends the block; the caller has its bytes, and nobody changes them any more. */
  seal(generation: number, offset: number): Buffer {
    const { buffer, length } = this.records;
    const block = buffer.subarray(0, length);
    sealBlock(block, generation, offset, this.#now());
    const capacity = Math.min(Math.max(CAPACITY_MIN, length * 2), CAPACITY_MAX);
    this.records = newBlock(capacity);
    return block;
  }

  /** Forgets what was gathered. */
  clear(): void {
    this.records = newBlock(CAPACITY_MIN);
  }
}

function newBlock(capacity: number): RecordWriter {
  const records = new RecordWriter(capacity);
  records.length = BLOCK_HEAD_BYTES;
  return records;
}
