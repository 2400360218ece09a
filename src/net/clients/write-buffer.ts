// Bytes that wait to be written to one connection: ranges of buffers, adjacent ones joined. A
// connection takes one from a pool only while it has something to write, so an idle one holds none.

import type { ByteTap } from '../../broker/ports.ts';
import { copyBytes } from '../../shared/copy-bytes.ts';
import type { Transport } from './transport.ts';

/** Ranges up to this total are copied into one buffer; in a larger write, only small ones are. */
const COPY_BYTES_MAX = 16_384;
/** Small ranges are joined to buffers of up to this size. */
const JOINED_BYTES_MAX = 65_536;
/** In a larger write ranges up to this are joined: each part of a gathered write costs a microsecond. */
const SMALL_BYTES_MAX = 4096;
const POOL_MAX = 1024;
/** A range is a scrap if its buffer is more than this many times as large. */
const SCRAP_FACTOR = 4;

const NO_BYTES = Buffer.alloc(0);

const pool: WriteBuffer[] = [];
/** The view that was made last, and of what: a message to a thousand clients needs one view. */
let view: Buffer = NO_BYTES;
let viewed: Buffer = NO_BYTES;
let viewedFrom = 0;

export class WriteBuffer {
  bytes = 0;
  /** The last range. Most writes have only this one: it needs no lists. */
  #buffer: Buffer = NO_BYTES;
  #start = 0;
  #end = 0;
  /** The ranges before it. */
  readonly #buffers: Buffer[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  static take(): WriteBuffer {
    return pool.pop() ?? new WriteBuffer();
  }

  /** Gives it back to the pool. The caller must not use it afterwards. */
  release(): void {
    this.bytes = 0;
    this.#buffer = NO_BYTES;
    this.#start = this.#end = 0;
    // A list that gets a length loses its memory, even an empty one.
    if (this.#buffers.length > 0)
      this.#buffers.length = this.#starts.length = this.#ends.length = 0;
    if (pool.length < POOL_MAX) pool.push(this);
  }

  add(buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    if (this.#buffer === buffer && this.#end === start) {
      this.#end = end;
      return;
    }
    if (this.#buffer !== NO_BYTES) this.#listLast();
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
  }

  #listLast(): void {
    this.#buffers.push(this.#buffer);
    this.#starts.push(this.#start);
    this.#ends.push(this.#end);
  }

  showTo(tap: ByteTap): void {
    for (let index = 0; index < this.#buffers.length; index++) tap.sent(this.#part(index));
    tap.sent(partOf(this.#buffer, this.#start, this.#end));
  }

  /** Writes all ranges: in one write where copying them is cheap, else in one gathered write. Once only. */
  writeTo(transport: Transport): void {
    const isBehind = transport.writableLength > 0;
    if (this.#buffers.length === 0) {
      const only = partOf(this.#buffer, this.#start, this.#end);
      transport.write(isBehind && isScrap(only) ? copyOf(only) : only);
      return;
    }
    this.#listLast();
    if (this.bytes <= COPY_BYTES_MAX) {
      transport.write(this.#joined(0, this.#buffers.length, isBehind));
      return;
    }
    transport.cork();
    for (let from = 0; from < this.#buffers.length; ) {
      const to = this.#endOfSmall(from);
      if (to > from + 1) {
        transport.write(this.#joined(from, to, isBehind));
      } else {
        const part = this.#part(from);
        transport.write(isScrap(part) ? Buffer.from(part) : part);
      }
      from = Math.max(to, from + 1);
    }
    transport.uncork();
  }

  /** Where the small ranges end that begin here and are worth copying into one. */
  #endOfSmall(from: number): number {
    let bytes = 0;
    let to = from;
    for (; to < this.#buffers.length; to++) {
      const range = this.#ends[to]! - this.#starts[to]!;
      bytes += range;
      if (range > SMALL_BYTES_MAX || bytes > JOINED_BYTES_MAX) break;
    }
    return to;
  }

  #part(index: number): Buffer {
    return partOf(this.#buffers[index]!, this.#starts[index]!, this.#ends[index]!);
  }

  #joined(from: number, to: number, isBehind: boolean): Buffer {
    let bytes = 0;
    for (let i = from; i < to; i++) bytes += this.#ends[i]! - this.#starts[i]!;
    // Not from the pool of small buffers: one small buffer that waits would keep 8 KiB alive.
    const joined = isBehind ? Buffer.allocUnsafeSlow(bytes) : Buffer.allocUnsafe(bytes);
    let position = 0;
    for (let i = from; i < to; i++) {
      const end = this.#ends[i]!;
      position = copyBytes(joined, position, this.#buffers[i]!, this.#starts[i]!, end);
    }
    return joined;
  }
}

function partOf(buffer: Buffer, start: number, end: number): Buffer {
  if (end - start === buffer.length) return buffer;
  if (viewed !== buffer || viewedFrom !== start || view.length !== end - start) {
    view = buffer.subarray(start, end);
    viewed = buffer;
    viewedFrom = start;
  }
  return view;
}

/** Not from the pool of small buffers: one that waits would keep 8 KiB alive. */
function copyOf(part: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(part.length);
  part.copy(copy);
  return copy;
}

/** While it waits for a client that does not read, it would keep many times its own size alive. */
function isScrap(part: Buffer): boolean {
  return part.length * SCRAP_FACTOR < part.buffer.byteLength;
}
