// Fetches another node's whole table, page by page, when the two tables differ and gossip no longer
// explains why. One pull at a time. Both sides see the difference, so each pulls and none pushes.

import type { Member } from './member-table.ts';
import type { MessageSender } from './message-sender.ts';

const TRIES_MAX = 3;
const INTERVAL_MS_MIN = 1000;
const INTERVAL_MS_MAX = 64_000;
/** From so many pulls in a row on that taught us nothing, the next ones come ever more rarely. */
const FUTILE_MAX = 3;
/** A difference that lasts so many periods is not waited out any longer. */
const PATIENCE_PERIODS = 10;
/** After the last change gossip is given so long to bring it to everybody. */
const QUIET_PERIODS = 0.5;

interface Pull {
  readonly member: Member;
  sequence: number;
  cursor: string;
  deadline: number;
  tries: number;
  readonly hashBefore: bigint;
}

export class StateSync {
  readonly #outbox: MessageSender;
  readonly #periodMs: number;
  #pull: Pull | undefined;
  #differsSince: number | undefined;
  #lastStartAt = Number.NEGATIVE_INFINITY;
  #futile = 0;

  constructor(outbox: MessageSender, periodMs: number) {
    this.#outbox = outbox;
    this.#periodMs = periodMs;
  }

  get deadline(): number {
    return this.#pull?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** @param quietSince when the table last changed; Infinity while there is something to gossip */
  compare(now: number, member: Member, theirHash: bigint, quietSince: number): void {
    if (theirHash === this.#outbox.tableHash) {
      this.#differsSince = undefined;
      this.#futile = 0;
      return;
    }
    this.#differsSince ??= now;
    const isQuiet = now - quietSince >= QUIET_PERIODS * this.#periodMs;
    const isLong = now - this.#differsSince >= PATIENCE_PERIODS * this.#periodMs;
    if (isQuiet || isLong) this.start(now, member);
  }

  start(now: number, member: Member): void {
    if (this.#pull !== undefined || now - this.#lastStartAt < this.#intervalMs) return;
    this.#lastStartAt = now;
    const hashBefore = this.#outbox.tableHash;
    this.#pull = { member, sequence: 0, cursor: '', deadline: 0, tries: 0, hashBefore };
    this.#request(now, this.#pull);
  }

  /** There may be members that can't be passed on: the tables then differ for good. */
  get #intervalMs(): number {
    const doublings = Math.max(0, this.#futile - FUTILE_MAX);
    return Math.min(INTERVAL_MS_MIN * 2 ** doublings, INTERVAL_MS_MAX);
  }

  /** @param lastName of the page, in the order of the pages; undefined where it holds none */
  handlePage(now: number, sequence: number, isLast: boolean, lastName: string | undefined): void {
    const pull = this.#pull;
    if (pull === undefined || pull.sequence !== sequence) return;
    if (isLast || lastName === undefined || lastName <= pull.cursor) {
      this.#pull = undefined;
      this.#futile = pull.hashBefore === this.#outbox.tableHash ? this.#futile + 1 : 0;
      return;
    }
    pull.cursor = lastName;
    pull.tries = 0;
    this.#request(now, pull);
  }

  advance(now: number): void {
    const pull = this.#pull;
    if (pull === undefined || now < pull.deadline) return;
    if (pull.tries >= TRIES_MAX) this.#pull = undefined;
    else this.#request(now, pull);
  }

  #request(now: number, pull: Pull): void {
    pull.tries += 1;
    pull.deadline = now + this.#periodMs / 4;
    pull.sequence = this.#outbox.nextSequence();
    this.#outbox.pull(pull.member, pull.sequence, pull.cursor);
  }
}
