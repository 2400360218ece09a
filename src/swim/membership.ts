// Merges what is said of members into the table and tells what changed. Knows nothing of messages
// or rounds. Invariants: the incarnation held for a name never falls; a name that is online goes to
// another boot only at a higher incarnation. Sources: SWIM paper 4.2, memberlist's mergeState.

import { type Endpoint, isLoopback, sameEndpoint } from '../shared/endpoint.ts';
import { ReplayWindow } from '../shared/replay-window.ts';
import { endpointOf, type Member, type MemberTable, RETENTION_MS } from './member-table.ts';
import { isOnline, type MemberRecord, type RecordDetail, supersedes } from './record.ts';
import { CROWD, STRIKES_TO_OFFLINE, suspicionTimeoutMs, transmitLimit } from './timing.ts';
import type { UpdateQueue } from './update-queue.ts';

export interface MemberEvent {
  readonly kind: 'online' | 'suspect' | 'offline' | 'left' | 'updated';
  readonly name: string;
  readonly endpoint: Endpoint;
  /** In words, for a log line. */
  readonly reason: string;
  /** Since this node last had an answer from the member; undefined where it never had one. */
  readonly sinceAnswerMs: number | undefined;
}

/** Who says it. */
export interface Source {
  /** direct: the member itself. page: a state exchange, perhaps out of date. */
  readonly kind: 'direct' | 'gossip' | 'page';
  readonly from: Endpoint;
  /** For people. */
  readonly teller: string;
}

export interface MembershipHooks {
  /** @param record about a process that claims the name of `held` while that one is online */
  nameContested(now: number, held: Member, record: MemberRecord, source: Source): void;
  memberChanged(event: MemberEvent): void;
}

/** Three failed rounds, the first of which may have begun with its last answer. */
const FRESH_PERIODS = 2;

export class Membership {
  #version = 0;
  #lastChangeAt = 0;
  #tableFull = 0;
  readonly #table: MemberTable;
  readonly #updates: UpdateQueue;
  readonly #periodMs: number;
  readonly #hooks: MembershipHooks;

  constructor(table: MemberTable, updates: UpdateQueue, periodMs: number, hooks: MembershipHooks) {
    this.#table = table;
    this.#updates = updates;
    this.#periodMs = periodMs;
    this.#hooks = hooks;
  }

  /** Goes up with each change of the list of online members: who, which boot, where. */
  get version(): number {
    return this.#version;
  }

  get lastChangeAt(): number {
    return this.#lastChangeAt;
  }

  /** Records that found no room. */
  get tableFull(): number {
    return this.#tableFull;
  }

  /** @param record about another name than our own */
  apply(now: number, record: MemberRecord, source: Source): void {
    const held = this.#table.get(record.name);
    if (held === undefined) this.#adopt(now, record, source);
    else if (held.bootId === record.bootId) this.#merge(now, held, record, source);
    else this.#mergeOtherBoot(now, held, record, source);
  }

  /** A failed round of our own. */
  strike(now: number, member: Member, weight: number): void {
    member.strikes += weight;
    if (member.strikes >= STRIKES_TO_OFFLINE) {
      this.#gone(now, member, 'offline', member.incarnation, 'no answer in 3 rounds');
    } else if (member.state === 'alive') {
      this.#suspect(now, member, member.incarnation, 'no answer');
    }
  }

  /** An answer, direct or through a helper. What others accuse it of, it must refute itself. */
  answered(now: number, member: Member): void {
    member.strikes = 0;
    member.lastAnswerAt = now;
    if (member.state === 'suspect') member.suspicionDeadline = now + this.#suspicionTimeoutMs();
  }

  /** The member's boot echoed our nonce, in the datagram with this counter. */
  proved(now: number, member: Member, counter: number, endpoint: Endpoint): void {
    const window = new ReplayWindow();
    window.accept(counter);
    const before = endpointOf(member);
    member.link = { window, floor: counter, endpoint, heardAt: now };
    if (!sameEndpoint(before, endpointOf(member))) this.#changed(now);
  }

  /** We take no part any more. */
  forgetAll(now: number): void {
    for (const member of [...this.#table.all()]) this.#table.remove(member);
    this.#updates.clear();
    this.#changed(now);
  }

  /** A datagram of its own came, perhaps from another address than before. */
  heard(now: number, member: Member, endpoint: Endpoint): void {
    if (member.link === undefined) return;
    member.link.heardAt = now;
    if (sameEndpoint(member.link.endpoint, endpoint)) return;
    const before = endpointOf(member);
    member.link.endpoint = endpoint;
    if (isOnline(member.state) && !sameEndpoint(before, endpointOf(member))) {
      this.#changed(now);
      this.#tell(now, 'updated', member, 'address changed');
    }
  }

  /** Suspicions that nobody refuted. */
  expireSuspicions(now: number): void {
    for (const member of this.#table.suspects) {
      if (member.suspicionDeadline > now) continue;
      this.#gone(now, member, 'offline', member.incarnation, 'suspicion not refuted');
    }
  }

  /** We were stalled: nobody could refute meanwhile. */
  extendSuspicions(byMs: number): void {
    for (const member of this.#table.suspects) member.suspicionDeadline += byMs;
  }

  nextSuspicionDeadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const member of this.#table.suspects) next = Math.min(next, member.suspicionDeadline);
    return next;
  }

  queue(name: string): void {
    this.#updates.add(name, transmitLimit(this.#table.onlineCount + 1, this.#updates.size));
  }

  #adopt(now: number, record: MemberRecord, source: Source): void {
    const { detail } = record;
    const address = detail && placeOf(detail, source);
    if (detail === undefined || address === undefined) return;
    const goneAt = now - detail.ageMs;
    if (!isOnline(record.state) && now - goneAt >= RETENTION_MS) return;
    const member: Member = {
      name: record.name,
      bootId: record.bootId,
      incarnation: record.incarnation,
      state: record.state === 'suspect' ? 'alive' : record.state,
      address,
      isAdvertised: detail.isAdvertised,
      metadata: detail.metadata,
      link: undefined,
      strikes: 0,
      suspicionDeadline: Number.POSITIVE_INFINITY,
      goneAt,
      lastAnswerAt: undefined,
      contestedAt: Number.NEGATIVE_INFINITY,
      hash: 0n,
    };
    if (!this.#table.add(member)) {
      this.#tableFull += 1;
      return;
    }
    if (!isOnline(record.state)) return;
    this.#changed(now);
    // Of many that a page brings, others know already, or find it by the same comparison.
    if (source.kind !== 'page' || this.#updates.size < CROWD) this.queue(member.name);
    this.#tell(now, 'online', member, wordFor('joined', source));
    if (record.state === 'suspect') this.#merge(now, member, record, source);
  }

  #merge(now: number, held: Member, news: MemberRecord, source: Source): void {
    if (!supersedes(news, held)) return;
    const { incarnation } = news;
    switch (news.state) {
      case 'alive':
        this.#alive(now, held, news, source);
        break;
      case 'suspect':
        this.#suspect(now, held, incarnation, wordFor('suspected', source));
        break;
      case 'offline':
        // A page may be old news, and so is what one tells who was cut off itself: the member is
        // given the time to refute it.
        if (isOnline(held.state) && (source.kind === 'page' || this.#answeredLately(now, held))) {
          if (supersedes({ incarnation, state: 'suspect' }, held)) {
            this.#suspect(now, held, incarnation, wordFor('held offline', source));
          }
          // We look for ourselves from the next round on, and two that fail are enough.
          held.strikes = Math.max(held.strikes, 1);
        } else {
          this.#gone(now, held, 'offline', incarnation, wordFor('given up', source));
        }
        break;
      case 'left':
        this.#gone(now, held, 'left', incarnation, 'left');
    }
  }

  #mergeOtherBoot(now: number, held: Member, news: MemberRecord, source: Source): void {
    if (news.incarnation <= held.incarnation) {
      if (isOnline(held.state) && isOnline(news.state)) {
        this.#hooks.nameContested(now, held, news, source);
      }
      return;
    }
    const address = news.detail && placeOf(news.detail, source);
    if (news.detail === undefined || address === undefined) return;
    const wasOnline = isOnline(held.state);
    held.link = undefined;
    held.strikes = 0;
    held.lastAnswerAt = undefined;
    held.suspicionDeadline = Number.POSITIVE_INFINITY;
    held.address = address;
    held.isAdvertised = news.detail.isAdvertised;
    held.metadata = news.detail.metadata;
    const { bootId, incarnation } = news;
    if (!isOnline(news.state)) {
      this.#table.update(held, { bootId });
      this.#gone(now, held, news.state === 'left' ? 'left' : 'offline', incarnation, 'restarted');
      return;
    }
    this.#table.update(held, { bootId, incarnation, state: 'alive' });
    this.#changed(now);
    this.queue(held.name);
    this.#tell(now, wasOnline ? 'updated' : 'online', held, wordFor('restarted', source));
    if (news.state === 'suspect') this.#suspect(now, held, incarnation, 'suspected');
  }

  /** More lately than it can have if others gave it up rightly. */
  #answeredLately(now: number, { lastAnswerAt }: Member): boolean {
    return lastAnswerAt !== undefined && now - lastAnswerAt < FRESH_PERIODS * this.#periodMs;
  }

  #alive(now: number, member: Member, news: MemberRecord, source: Source): void {
    const before = member.state;
    member.strikes = 0;
    member.suspicionDeadline = Number.POSITIVE_INFINITY;
    const address = news.detail && placeOf(news.detail, source);
    if (news.detail !== undefined && address !== undefined) {
      member.address = address;
      member.isAdvertised = news.detail.isAdvertised;
      member.metadata = news.detail.metadata;
    }
    this.#table.update(member, { incarnation: news.incarnation, state: 'alive' });
    this.#changed(now);
    this.queue(member.name);
    if (before === 'suspect') this.#tell(now, 'online', member, wordFor('refuted', source));
    else if (before !== 'alive') this.#tell(now, 'online', member, wordFor('returned', source));
  }

  #suspect(now: number, member: Member, incarnation: number, reason: string): void {
    const wasSuspect = member.state === 'suspect';
    const wasOnline = isOnline(member.state);
    this.#table.update(member, { incarnation, state: 'suspect' });
    if (!wasSuspect) member.suspicionDeadline = now + this.#suspicionTimeoutMs();
    if (!wasOnline) this.#changed(now);
    this.queue(member.name);
    if (!wasSuspect) this.#tell(now, 'suspect', member, reason);
  }

  #gone(
    now: number,
    member: Member,
    state: 'offline' | 'left',
    incarnation: number,
    reason: string,
  ): void {
    const wasOnline = isOnline(member.state);
    const wasSame = member.state === state;
    this.#table.update(member, { incarnation, state });
    member.strikes = 0;
    member.suspicionDeadline = Number.POSITIVE_INFINITY;
    if (wasOnline) {
      member.goneAt = now;
      this.#changed(now);
    }
    this.queue(member.name);
    // Nobody is left to be told, and later it would be old news.
    if (this.#table.onlineCount === 0) this.#updates.clear();
    if (!wasSame) this.#tell(now, state, member, reason);
  }

  #suspicionTimeoutMs(): number {
    return suspicionTimeoutMs(this.#table.onlineCount + 1, this.#periodMs);
  }

  #changed(now: number): void {
    this.#version += 1;
    this.#lastChangeAt = now;
  }

  #tell(now: number, kind: MemberEvent['kind'], member: Member, reason: string): void {
    const { name, lastAnswerAt } = member;
    const sinceAnswerMs = lastAnswerAt === undefined ? undefined : now - lastAnswerAt;
    this.#hooks.memberChanged({ kind, name, endpoint: endpointOf(member), reason, sinceAnswerMs });
  }
}

/**
 * A loopback address is good on one machine only: told by another, it means the teller's own.
 * @returns undefined where nobody tells an address
 */
function placeOf(detail: RecordDetail, source: Source): Endpoint | undefined {
  const { address, port, isAdvertised } = detail;
  const teller = source.from.address;
  if (address === undefined)
    return source.kind === 'direct' ? { address: teller, port } : undefined;
  const isTellers = !isAdvertised && isLoopback(address) && !isLoopback(teller);
  return { address: isTellers ? teller : address, port };
}

function wordFor(what: string, source: Source): string {
  return source.kind === 'direct' ? what : `${what}, says ${source.teller}`;
}
