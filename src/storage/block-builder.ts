// Records on their way into a file: gathers them, and seals them into blocks at their offsets.

import { BLOCK_HEAD_BYTES, type Stamp, sealBlock } from './file-format.ts';
import { RecordWriter } from './record-writer.ts';

const CAPACITY_MIN = 65_536;
/** A buffer larger than this was for something unusual and is not kept. */
const SPARE_BYTES_MAX = 2_097_152;

export class BlockBuilder {
  records: RecordWriter;
  readonly #now: () => Stamp;
  /** Written and not needed any more. New ones all the time would keep the collector busy. */
  #spare: Buffer | undefined;

  constructor(now: () => Stamp) {
    this.#now = now;
    this.records = this.#newBlock();
  }

  /** Bytes gathered since the last block. */
  get bytes(): number {
    return this.records.length - BLOCK_HEAD_BYTES;
  }

  /** Ends the block; nobody changes its bytes until recycle(). */
  seal(generation: number, offset: number): Buffer {
    const { buffer, length } = this.records;
    const block = buffer.subarray(0, length);
    sealBlock(block, generation, offset, this.#now());
    this.records = this.#newBlock();
    return block;
  }

  /** The block is written. */
  recycle(block: Buffer): void {
    const whole = Buffer.from(block.buffer);
    if (whole.length <= SPARE_BYTES_MAX && whole.length > (this.#spare?.length ?? 0)) {
      this.#spare = whole;
    }
  }

  /** Forgets what was gathered. */
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
