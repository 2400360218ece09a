// The log of one writer: its registers that are current, in the order of their sequence numbers, and
// how far this node has everything. A write whose key was written again is no longer in the log.
// Invariant: each step takes logarithmic time, in whatever order the registers come: a node that joins gets
// the newest ones live and all the older ones by repair.

import { Coverage, type Range } from './coverage.ts';
import type { Register } from './register.ts';

/** Registers that are kept, and moved, together. */
const CHUNK_MAX = 512;

type Place = Pick<Register, 'sequence' | 'key'>;

export class WriterLog {
  /** Boot id. */
  readonly writer: bigint;
  readonly coverage = new Coverage();
  #count = 0;
  /** From here on something is missing for want of room. */
  #refusedFrom = Number.POSITIVE_INFINITY;
  /** Each ascending, none empty; all of one before all of the next. */
  readonly #chunks: Register[][] = [];

  constructor(writer: bigint) {
    this.writer = writer;
  }

  /** Current registers, cleared ones included. */
  get count(): number {
    return this.#count;
  }

  /** Of these numbers, the first range of which this node can give others all that is current. */
  firstKnown(range: Range): Range | undefined {
    const known = this.coverage.firstCovered(range);
    if (known === undefined || known.to < this.#refusedFrom) return known;
    return known.from < this.#refusedFrom ? { ...known, to: this.#refusedFrom - 1 } : undefined;
  }

  /** What firstKnown() can say in the end, for other nodes. */
  *known(): Generator<Range> {
    const end = this.#refusedFrom - 1;
    const { position, beyond } = this.coverage;
    if (position > 0) yield { from: 1, to: Math.min(position, end) };
    for (const { from, to } of beyond) if (from <= end) yield { from, to: Math.min(to, end) };
  }

  /** There was no room for this write: other nodes must not take it for replaced. */
  refuse(sequence: number): void {
    this.#refusedFrom = Math.min(this.#refusedFrom, sequence);
  }

  /** Puts the register at the place of its sequence number: in most cases at the end. */
  insert(register: Register): void {
    this.#count += 1;
    const index = this.#chunkOf(register);
    const chunk = this.#chunks[index];
    if (chunk === undefined) {
      this.#append(register);
      return;
    }
    chunk.splice(placeIn(chunk, register), 0, register);
    if (chunk.length <= CHUNK_MAX) return;
    this.#chunks.splice(index + 1, 0, chunk.splice(CHUNK_MAX / 2));
  }

  remove(register: Register): void {
    this.#count -= 1;
    const chunks = this.#chunks;
    const index = this.#chunkOf(register);
    const chunk = chunks[index]!;
    chunk.splice(placeIn(chunk, register), 1);
    const next = chunks[index + 1];
    if (chunk.length === 0) chunks.splice(index, 1);
    else if (next !== undefined && chunk.length + next.length <= CHUNK_MAX / 2) {
      chunk.push(...next);
      chunks.splice(index + 1, 1);
    }
  }

  /** The current registers from this sequence number on, ascending. The log must not change meanwhile. */
  *from(sequence: number): Generator<Register> {
    const first = { sequence, key: '' };
    for (let index = this.#chunkOf(first); index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index]!;
      for (let at = placeIn(chunk, first); at < chunk.length; at++) yield chunk[at]!;
    }
  }

  #append(register: Register): void {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.length < CHUNK_MAX) last.push(register);
    else this.#chunks.push([register]);
  }

  /** The first chunk with a register that is not before this place; behind the last one if there is none. */
  #chunkOf(place: Place): number {
    const chunks = this.#chunks;
    if (isBefore(chunks.at(-1)?.at(-1), place)) return chunks.length;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(chunks[middle]!.at(-1), place)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Index of the first register of the chunk that is not before this place. */
function placeIn(chunk: readonly Register[], place: Place): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(chunk[middle], place)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A faulty writer may give two keys one number: their order is that of the keys. No register is before all. */
function isBefore(register: Register | undefined, { sequence, key }: Place): boolean {
  if (register === undefined) return true;
  return register.sequence < sequence || (register.sequence === sequence && register.key < key);
}
