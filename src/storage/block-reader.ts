// Reads the blocks of a file in any state of damage: reports the gaps between valid blocks and searches
// for the next valid block behind each gap. The search is bounded, because a file full of false block
// heads would otherwise be read once for each of them.

import type { ReadableFile } from './disk.ts';
import {
  announcedBytes,
  BLOCK_HEAD_BYTES,
  BLOCK_MAGIC,
  HEADER_BYTES,
  isIntact,
} from './file-format.ts';

const WINDOW_BYTES = 1_048_576;
/** The search ends after this many bytes of false blocks, or twice the file's size if that is more. */
const FUTILE_BYTES_MIN = 268_435_456;
const FUTILE_FILES = 2;

export interface Gap {
  readonly start: number;
  readonly end: number;
}

export interface Walk {
  /** Ranges without a valid block; the last one may reach the end of the file. */
  readonly gaps: readonly Gap[];
  /** End of the last valid block. */
  readonly end: number;
}

export class BlockReader {
  readonly #file: ReadableFile;
  readonly #generation: number;
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;
  #futileBytesLeft: number;

  constructor(file: ReadableFile, generation: number) {
    this.#file = file;
    this.#generation = generation;
    this.#futileBytesLeft = Math.max(FUTILE_BYTES_MIN, FUTILE_FILES * file.size);
  }

  /** @param visit receives each valid block as a view, which must not be used after it returns */
  walk(visit: (block: Buffer) => void): Walk {
    const gaps: Gap[] = [];
    let end = HEADER_BYTES;
    for (let position = HEADER_BYTES; position < this.#file.size && this.#futileBytesLeft > 0; ) {
      const block = this.#blockAt(position);
      if (block === undefined) {
        position = this.#nextCandidate(position + 1);
        continue;
      }
      if (position > end) gaps.push({ start: end, end: position });
      visit(block);
      position += block.length;
      end = position;
    }
    if (end < this.#file.size) gaps.push({ start: end, end: this.#file.size });
    return { gaps, end };
  }

  #blockAt(position: number): Buffer | undefined {
    const length = announcedBytes(this.#bytes(position, BLOCK_HEAD_BYTES));
    if (length === 0 || position + length > this.#file.size) return undefined;
    const block = this.#bytes(position, length);
    if (isIntact(block, this.#generation, position)) return block;
    this.#futileBytesLeft -= length;
    return undefined;
  }

  /** Position of the next block magic, or the size of the file if there is none. */
  #nextCandidate(from: number): number {
    for (let position = from; position < this.#file.size; ) {
      const bytes = this.#windowFrom(position);
      const found = bytes.indexOf(BLOCK_MAGIC);
      if (found !== -1) return position + found;
      // The magic may begin in the last three bytes of this window.
      position += Math.max(1, bytes.length - BLOCK_MAGIC.length + 1);
    }
    return this.#file.size;
  }

  /** Bytes of the file; fewer than `length` at its end. */
  #bytes(position: number, length: number): Buffer {
    const start = position - this.#windowAt;
    if (start < 0 || start + length > this.#window.length) {
      this.#window = this.#file.read(position, Math.max(length, WINDOW_BYTES));
      this.#windowAt = position;
      return this.#window.subarray(0, length);
    }
    return this.#window.subarray(start, start + length);
  }

  #windowFrom(position: number): Buffer {
    this.#bytes(position, Math.min(BLOCK_MAGIC.length, this.#file.size - position));
    return this.#window.subarray(position - this.#windowAt);
  }
}
