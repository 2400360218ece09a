// The last words of a node that leaves: its `left` record, told several times, as nobody acknowledges
// it. Over within half a second, whatever the others do.

import type { LocalNode } from './local-node.ts';
import { endpointOf, type MemberTable } from './member-table.ts';
import type { MessageSender } from './message-sender.ts';

/** It is told so many ms after the beginning, and after the last time nothing is waited for. */
const TELL_AT_MS = [0, 100, 300] as const;
/** How many are told directly; more hear it from these. */
const TARGETS = 32;

export class Leave {
  readonly #self: LocalNode;
  readonly #table: MemberTable;
  readonly #outbox: MessageSender;
  readonly #startedAt: number;
  #told = 0;

  constructor(self: LocalNode, table: MemberTable, outbox: MessageSender, now: number) {
    this.#self = self;
    this.#table = table;
    this.#outbox = outbox;
    this.#startedAt = now;
  }

  get isDone(): boolean {
    return this.#told >= TELL_AT_MS.length;
  }

  /** Infinity once it is done. */
  get deadline(): number {
    return this.#startedAt + (TELL_AT_MS[this.#told] ?? Number.POSITIVE_INFINITY);
  }

  advance(now: number): void {
    while (now >= this.deadline) {
      this.#told += 1;
      const own = [this.#self.record(now)];
      for (const member of this.#table.randomOnline(TARGETS, () => true)) {
        this.#outbox.tell(now, endpointOf(member), own);
      }
    }
  }
}
