// The departure of this node: sends its `left` record several times, because it is not acknowledged.
// Takes less than half a second, whatever the other nodes do. Source: memberlist's Leave.

import type { LocalNode } from './local-node.ts';
import { endpointOf, type MemberTable } from './member-table.ts';
import type { MessageSender } from './message-sender.ts';

/** Times of the rounds, in ms after the beginning. */
const SEND_AT_MS = [0, 100, 300] as const;
/** Members that hear it from this node in one round; the others hear it from them. */
const RECEIVERS = 32;

export class Leave {
  readonly #self: LocalNode;
  readonly #table: MemberTable;
  readonly #sender: MessageSender;
  readonly #startedAt: number;
  #rounds = 0;

  constructor(self: LocalNode, table: MemberTable, sender: MessageSender, now: number) {
    this.#self = self;
    this.#table = table;
    this.#sender = sender;
    this.#startedAt = now;
  }

  get isDone(): boolean {
    return this.#rounds >= SEND_AT_MS.length;
  }

  /** When advance() is due; Infinity once all rounds are done. */
  get deadline(): number {
    return this.#startedAt + (SEND_AT_MS[this.#rounds] ?? Number.POSITIVE_INFINITY);
  }

  advance(now: number): void {
    while (now >= this.deadline) {
      this.#rounds += 1;
      const own = [this.#self.record(now)];
      for (const member of this.#table.randomOnline(RECEIVERS, () => true)) {
        this.#sender.sendRecords(now, endpointOf(member), own);
      }
    }
  }
}
