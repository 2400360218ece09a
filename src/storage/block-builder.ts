// Collects records in memory and seals them into blocks for a file. Does not write anything.

import { BLOCK_HEAD_BYTES, type Stamp, sealBlock } from './file-format.ts';
import { RecordWriter } from './record-writer.ts';

const CAPACITY_MIN = 65_536;
/** A larger buffer served an unusual load and is not reused. */
const SPARE_BYTES_MAX = 2_097_152;

export class BlockBuilder {
  records: RecordWriter;
  readonly #now: () => Stamp;
  /** The buffer of a written block, reused: allocating one per block would burden the collector. */
  #spare: Buffer | undefined;

  constructor(now: () => Stamp) {
    this.#now = now;
    this.records = this.#newBlock();
  }

  /** Bytes of records since the last block. */
  get bytes(): number {
    return this.records.length - BLOCK_HEAD_BYTES;
  }

  /** Completes the block and begins the next. The returned bytes stay unchanged until recycle(). */
  seal(generation: number, offset: number): Buffer {
    const { buffer, length } = this.records;
    const block = buffer.subarray(0, length);
    sealBlock(block, generation, offset, this.#now());
    this.records = this.#newBlock();
    return block;
  }

  /** Takes back the buffer of a block that is written. */
  recycle(block: Buffer): void {
    const whole = Buffer.from(block.buffer);
    if (whole.length <= SPARE_BYTES_MAX && whole.length > (this.#spare?.length ?? 0)) {
      this.#spare = whole;
    }
  }

  /** Discards the collected records. */
  clear(): void {
    this.records = this.#newBlock();
  }

  #newBlock(): RecordWriter {
    const records = new RecordWriter(this.#spare ?? Buffer.allocUnsafeSlow(CAPACITY_MIN));
    this.#spare = undefined;
    records.length = BLOCK_HEAD_BYTES;
    return records;
  }
}
