// Fetches another node's whole member table, page by page, when the two tables differ and gossip
// does not even the difference out. One pull at a time. Both sides see the difference, so each pulls
// and neither pushes. Source: memberlist's push/pull, without its TCP.

import type { Member } from './member-table.ts';
import type { MessageSender } from './message-sender.ts';

const TRIES_MAX = 3;
const INTERVAL_MS_MIN = 1000;
const INTERVAL_MS_MAX = 64_000;
/** After this many pulls in a row without a gain, each further pull waits twice as long. */
const FUTILE_PULLS_MAX = 3;
/** A difference that lasts this many periods leads to a pull, whatever gossip still does. */
const PATIENCE_PERIODS = 10;
/** Time that gossip has, after the last change, to bring it to all members. */
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
  readonly #sender: MessageSender;
  readonly #periodMs: number;
  #pull: Pull | undefined;
  #differsSince: number | undefined;
  #lastStartAt = Number.NEGATIVE_INFINITY;
  #futilePulls = 0;
  #isSettled = false;

  constructor(sender: MessageSender, periodMs: number) {
    this.#sender = sender;
    this.#periodMs = periodMs;
  }

  /** True after the first pull, or after a comparison without a difference. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  get deadline(): number {
    return this.#pull?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** @param quietSince when the table last changed; Infinity while updates wait to be gossiped */
  compare(now: number, member: Member, theirHash: bigint, quietSince: number): void {
    if (theirHash === this.#sender.tableHash) {
      this.#differsSince = undefined;
      this.#isSettled = true;
      this.#futilePulls = 0;
      return;
    }
    this.#differsSince ??= now;
    const isQuiet = now - quietSince >= QUIET_PERIODS * this.#periodMs;
    const isLong = now - this.#differsSince >= PATIENCE_PERIODS * this.#periodMs;
    if (isQuiet || isLong) this.start(now, member);
  }

  /** Starts a pull, unless one is under way or the last one was too recent. */
  start(now: number, member: Member): void {
    if (this.#pull !== undefined || now - this.#lastStartAt < this.#intervalMs) return;
    this.#lastStartAt = now;
    const hashBefore = this.#sender.tableHash;
    this.#pull = { member, sequence: 0, cursor: '', deadline: 0, tries: 0, hashBefore };
    this.#request(now, this.#pull);
  }

  /** Some members can't be passed on (link-local addresses): two tables may differ for ever. */
  get #intervalMs(): number {
    const doublings = Math.max(0, this.#futilePulls - FUTILE_PULLS_MAX);
    return Math.min(INTERVAL_MS_MIN * 2 ** doublings, INTERVAL_MS_MAX);
  }

  /** @param lastName on the page, in the order of the pages; undefined if the page is empty */
  handlePage(now: number, sequence: number, isLast: boolean, lastName: string | undefined): void {
    const pull = this.#pull;
    if (pull === undefined || pull.sequence !== sequence) return;
    if (isLast || lastName === undefined || lastName <= pull.cursor) {
      this.#pull = undefined;
      this.#isSettled = true;
      const isFutile = pull.hashBefore === this.#sender.tableHash;
      this.#futilePulls = isFutile ? this.#futilePulls + 1 : 0;
      return;
    }
    pull.cursor = lastName;
    pull.tries = 0;
    this.#request(now, pull);
  }

  /** Asks again for a page that did not come, and gives up after three tries. */
  advance(now: number): void {
    const pull = this.#pull;
    if (pull === undefined || now < pull.deadline) return;
    if (pull.tries >= TRIES_MAX) {
      this.#pull = undefined;
      this.#isSettled = true;
    } else this.#request(now, pull);
  }

  #request(now: number, pull: Pull): void {
    pull.tries += 1;
    pull.deadline = now + this.#periodMs / 4;
    pull.sequence = this.#sender.nextSequence();
    this.#sender.pull(pull.member, pull.sequence, pull.cursor);
  }
}
