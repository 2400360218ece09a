// The log of one writer: its registers that are current, in the order of their sequence numbers, and
// how far this node has everything. A write whose key was written again is no longer in the log.

import { Coverage, type Range } from './coverage.ts';
import type { Register } from './register.ts';

export class WriterLog {
  /** Boot id. */
  readonly writer: bigint;
  readonly coverage = new Coverage();
  #count = 0;
  /** From here on something is missing for want of room. */
  #refusedFrom = Number.POSITIVE_INFINITY;
  #first: Register | undefined;
  #last: Register | undefined;

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
    let before = this.#last;
    while (before !== undefined && before.sequence > register.sequence) before = before.previous;
    const after = before === undefined ? this.#first : before.next;
    register.previous = before;
    register.next = after;
    if (before === undefined) this.#first = register;
    else before.next = register;
    if (after === undefined) this.#last = register;
    else after.previous = register;
    register.isCurrent = true;
    this.#count += 1;
  }

  remove(register: Register): void {
    const { previous, next } = register;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    register.previous = undefined;
    register.next = undefined;
    register.isCurrent = false;
    this.#count -= 1;
  }

  /**
   * The current registers from this sequence number on, ascending. The log must not change meanwhile.
   * @param after a register of this log below `sequence`, so that the search need not begin anew
   */
  *from(sequence: number, after?: Register): Generator<Register> {
    let register = after?.isCurrent && after.log === this ? after.next : this.#first;
    while (register !== undefined && register.sequence < sequence) register = register.next;
    for (; register !== undefined; register = register.next) yield register;
  }
}
