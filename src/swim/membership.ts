// Merges member records and probe results into the member table, and reports each change. Knows
// nothing of messages or periods. Invariants: the incarnation held for a name never falls; the name of
// an online member passes to another boot only at a higher incarnation; the last event of an online
// member names its present address.
// Sources: SWIM paper 4.2, memberlist's mergeState.

import { type Endpoint, isLoopback, sameEndpoint } from '../shared/endpoint.ts';
import { ReplayWindow } from '../shared/replay-window.ts';
import { endpointOf, type Member, type MemberTable, RETENTION_MS } from './member-table.ts';
import {
  isNewerIncarnation,
  isOnline,
  type MemberRecord,
  type RecordDetail,
  supersedes,
} from './record.ts';
import { CROWD, STRIKES_TO_OFFLINE, suspicionTimeoutMs, transmitLimit } from './timing.ts';
import type { UpdateQueue } from './update-queue.ts';

export interface MemberEvent {
  readonly kind: 'online' | 'suspect' | 'offline' | 'left' | 'updated';
  readonly name: string;
  readonly endpoint: Endpoint;
  /** For a log line. */
  readonly reason: string;
  /** Time since the last ack of the member, direct or indirect; undefined if there was none. */
  readonly sinceAnswerMs: number | undefined;
}

/** Where a record came from. */
export interface Source {
  /** direct: from the member itself. page: from a state sync, perhaps out of date. */
  readonly kind: 'direct' | 'gossip' | 'page';
  readonly from: Endpoint;
  /** Name of the node that sent it, for log lines. */
  readonly reporter: string;
}

export interface MembershipHooks {
  /** @param record of a process that claims the name of `held`, which is online */
  nameClaimed(now: number, held: Member, record: MemberRecord, source: Source): void;
  memberChanged(event: MemberEvent): void;
}

/** Three strikes take three periods, the first of which may begin with the last ack. */
const RECENT_PERIODS = 2;

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

  /** Rises with each change of the list of online members, of their boots or of their addresses. */
  get version(): number {
    return this.#version;
  }

  get lastChangeAt(): number {
    return this.#lastChangeAt;
  }

  /** Records of new members that found the table full. */
  get tableFull(): number {
    return this.#tableFull;
  }

  /** @param record about another name than our own */
  apply(now: number, record: MemberRecord, source: Source): void {
    const held = this.#table.get(record.name);
    if (held === undefined) this.#adopt(now, record, source);
    else if (held.bootId === record.bootId) this.#merge(now, held, record, source);
    else this.#mergeOtherBoot(now, held, record, source);
    if (held !== undefined) this.#reportMove(now, held);
  }

  /** A person says that an offline member will not return. @returns false if there is none */
  forget(now: number, name: string): boolean {
    const member = this.#table.get(name);
    if (member?.state !== 'offline') return false;
    this.#markGone(now, member, 'left', member.incarnation, 'forgotten');
    return true;
  }

  /** A period of ours ended without an ack from the member. */
  strike(now: number, member: Member, weight: number): void {
    member.strikes += weight;
    if (member.strikes >= STRIKES_TO_OFFLINE) {
      const { link, missesSince } = member;
      const heardMs = link === undefined ? 0 : link.heardAt - missesSince;
      member.isUnheard = heardMs >= RECENT_PERIODS * this.#periodMs;
      this.#markGone(now, member, 'offline', member.incarnation, 'no answer in 3 periods');
    } else if (member.state === 'alive') {
      this.#markSuspect(now, member, member.incarnation, 'no answer');
    }
  }

  /** The member acked, directly or indirectly. It must still refute accusations of others itself. */
  acked(now: number, member: Member): void {
    member.strikes = 0;
    member.lastAckAt = now;
    if (member.state === 'suspect') member.suspicionDeadline = now + this.#suspicionTimeoutMs();
  }

  /** The member's boot echoed our nonce in the datagram with this counter. */
  validated(now: number, member: Member, counter: number, endpoint: Endpoint): void {
    const window = new ReplayWindow();
    window.accept(counter);
    member.link = { window, floor: counter, endpoint, heardAt: now };
    this.#reportMove(now, member);
  }

  /** Empties the table: this node takes no part in the cluster any more. */
  clear(now: number): void {
    for (const member of [...this.#table.all()]) this.#table.remove(member);
    this.#updates.clear();
    this.#listChanged(now);
  }

  /** A datagram of the member arrived, perhaps from a new address that is validated. */
  heardFrom(now: number, member: Member, endpoint: Endpoint): void {
    if (member.link === undefined) return;
    member.link.heardAt = now;
    if (!isOnline(member.state)) {
      if (member.heardSinceOffline === 0) member.heardOfflineAt = now;
      member.heardSinceOffline += 1;
    }
    if (sameEndpoint(member.link.endpoint, endpoint)) return;
    member.link.endpoint = endpoint;
    this.#reportMove(now, member);
  }

  /** Declares suspects offline that did not refute in time. */
  expireSuspicions(now: number): void {
    for (const member of this.#table.suspects) {
      if (member.suspicionDeadline > now) continue;
      this.#markGone(now, member, 'offline', member.incarnation, 'suspicion not refuted');
    }
  }

  /** Gives suspects more time, because this node was stalled and could not hear a refutation. */
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
    const address = detail && endpointIn(detail, source);
    if (detail === undefined || address === undefined) return;
    const offlineSince = now - detail.ageMs;
    if (!isOnline(record.state) && now - offlineSince >= RETENTION_MS) return;
    const member: Member = {
      name: record.name,
      bootId: record.bootId,
      incarnation: record.incarnation,
      state: record.state === 'suspect' ? 'alive' : record.state,
      address,
      reported: address,
      isAdvertised: detail.isAdvertised,
      metadata: detail.metadata,
      link: undefined,
      strikes: 0,
      suspicionDeadline: Number.POSITIVE_INFINITY,
      stateSince: isOnline(record.state) ? now : offlineSince,
      offlineSince,
      heardSinceOffline: 0,
      heardOfflineAt: 0,
      lastAckAt: undefined,
      directMisses: 0,
      missesSince: 0,
      isUnheard: false,
      isNacked: false,
      rttMs: undefined,
      conflictReportedAt: Number.NEGATIVE_INFINITY,
      hash: 0n,
    };
    // A boot that has just echoed our nonce may take the room of an online member that never did.
    if (!this.#makeRoom(now, source.kind === 'direct' && isOnline(record.state))) {
      this.#tableFull += 1;
      return;
    }
    this.#table.add(member);
    if (!isOnline(record.state)) return;
    this.#listChanged(now);
    // A page brings many members at once: other nodes know them, or find them by the table hash.
    if (source.kind !== 'page' || this.#updates.size < CROWD) this.queue(member.name);
    this.#emit(now, 'online', member, reasonText('joined', source));
    if (record.state === 'suspect') this.#merge(now, member, record, source);
  }

  /** @returns false if the table is full of members that must stay */
  #makeRoom(now: number, mayEvictOnline: boolean): boolean {
    if (!this.#table.isFull) return true;
    const evicted = this.#table.evict(mayEvictOnline);
    if (evicted === undefined) return false;
    if (isOnline(evicted.state)) {
      this.#listChanged(now);
      this.#emit(now, 'offline', evicted, 'the member table is full');
    }
    return true;
  }

  #merge(now: number, held: Member, news: MemberRecord, source: Source): void {
    if (!supersedes(news, held)) return;
    const { incarnation } = news;
    switch (news.state) {
      case 'alive':
        this.#markAlive(now, held, news, source);
        break;
      case 'suspect':
        this.#markSuspect(now, held, incarnation, reasonText('suspected', source));
        break;
      case 'offline':
        // A page may be out of date, and so may be a node that was cut off itself: the member gets
        // the time to refute.
        if (isOnline(held.state) && (source.kind === 'page' || this.#answeredRecently(now, held))) {
          if (supersedes({ incarnation, state: 'suspect' }, held)) {
            this.#markSuspect(now, held, incarnation, reasonText('held offline', source));
          }
          // Probe it from the next period on; two more strikes are enough.
          held.strikes = Math.max(held.strikes, 1);
        } else {
          this.#markGone(now, held, 'offline', incarnation, reasonText('offline', source));
        }
        break;
      case 'left':
        this.#markGone(now, held, 'left', incarnation, 'left');
    }
  }

  #mergeOtherBoot(now: number, held: Member, news: MemberRecord, source: Source): void {
    if (!isNewerIncarnation(news.incarnation, held.incarnation)) {
      if (isOnline(held.state) && isOnline(news.state)) {
        this.#hooks.nameClaimed(now, held, news, source);
      }
      return;
    }
    const address = news.detail && endpointIn(news.detail, source);
    if (news.detail === undefined || address === undefined) return;
    const wasOnline = isOnline(held.state);
    held.link = undefined;
    held.strikes = 0;
    held.lastAckAt = undefined;
    held.directMisses = 0;
    held.isUnheard = false;
    held.rttMs = undefined;
    held.stateSince = now;
    held.suspicionDeadline = Number.POSITIVE_INFINITY;
    held.address = address;
    held.isAdvertised = news.detail.isAdvertised;
    held.metadata = news.detail.metadata;
    const { bootId, incarnation } = news;
    if (!isOnline(news.state)) {
      this.#table.update(held, { bootId });
      this.#markGone(
        now,
        held,
        news.state === 'left' ? 'left' : 'offline',
        incarnation,
        'restarted',
      );
      return;
    }
    this.#table.update(held, { bootId, incarnation, state: 'alive' });
    this.#listChanged(now);
    this.queue(held.name);
    this.#emit(now, wasOnline ? 'updated' : 'online', held, reasonText('restarted', source));
    if (news.state === 'suspect') this.#markSuspect(now, held, incarnation, 'suspected');
  }

  /** An ack so recent that the member can't have missed three periods. */
  #answeredRecently(now: number, { lastAckAt }: Member): boolean {
    return lastAckAt !== undefined && now - lastAckAt < RECENT_PERIODS * this.#periodMs;
  }

  #markAlive(now: number, member: Member, news: MemberRecord, source: Source): void {
    const before = member.state;
    member.strikes = 0;
    member.isUnheard = false;
    member.suspicionDeadline = Number.POSITIVE_INFINITY;
    const address = news.detail && endpointIn(news.detail, source);
    if (news.detail !== undefined && address !== undefined) {
      member.address = address;
      member.isAdvertised = news.detail.isAdvertised;
      member.metadata = news.detail.metadata;
      // It may have moved while this node did not hear it: it is where a node hears it that does.
      if (member.link !== undefined && !isOnline(before)) member.link.endpoint = address;
    }
    if (before !== 'alive') member.stateSince = now;
    this.#table.update(member, { incarnation: news.incarnation, state: 'alive' });
    this.#listChanged(now);
    this.queue(member.name);
    if (before === 'suspect') this.#emit(now, 'online', member, reasonText('refuted', source));
    else if (before !== 'alive') this.#emit(now, 'online', member, reasonText('returned', source));
  }

  #markSuspect(now: number, member: Member, incarnation: number, reason: string): void {
    const wasSuspect = member.state === 'suspect';
    const wasOnline = isOnline(member.state);
    this.#table.update(member, { incarnation, state: 'suspect' });
    if (!wasSuspect) {
      member.suspicionDeadline = now + this.#suspicionTimeoutMs();
      member.stateSince = now;
    }
    if (!wasOnline) this.#listChanged(now);
    this.queue(member.name);
    if (!wasSuspect) this.#emit(now, 'suspect', member, reason);
  }

  #markGone(
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
      member.offlineSince = now;
      member.stateSince = now;
      member.heardSinceOffline = 0;
      this.#listChanged(now);
    }
    this.queue(member.name);
    // No member is left to receive the updates, and later they would be out of date.
    if (this.#table.onlineCount === 0) this.#updates.clear();
    if (!wasSame) this.#emit(now, state, member, reason);
  }

  #suspicionTimeoutMs(): number {
    return suspicionTimeoutMs(this.#table.onlineCount + 1, this.#periodMs);
  }

  #listChanged(now: number): void {
    this.#version += 1;
    this.#lastChangeAt = now;
  }

  /** Follows every change that may have moved a member. */
  #reportMove(now: number, member: Member): void {
    if (!isOnline(member.state) || sameEndpoint(member.reported, endpointOf(member))) return;
    this.#listChanged(now);
    this.#emit(now, 'updated', member, 'address changed');
  }

  #emit(now: number, kind: MemberEvent['kind'], member: Member, reason: string): void {
    const { name, lastAckAt } = member;
    const endpoint = endpointOf(member);
    member.reported = endpoint;
    const sinceAnswerMs = lastAckAt === undefined ? undefined : now - lastAckAt;
    this.#hooks.memberChanged({ kind, name, endpoint, reason, sinceAnswerMs });
  }
}

/**
 * The address in a record. A loopback address from another machine means that machine itself.
 * @returns undefined if the record has no address and does not come from the member itself
 */
function endpointIn(detail: RecordDetail, source: Source): Endpoint | undefined {
  const { address, port, isAdvertised } = detail;
  const sourceAddress = source.from.address;
  if (address === undefined)
    return source.kind === 'direct' ? { address: sourceAddress, port } : undefined;
  const isThatMachine = !isAdvertised && isLoopback(address) && !isLoopback(sourceAddress);
  return { address: isThatMachine ? sourceAddress : address, port };
}

function reasonText(what: string, source: Source): string {
  return source.kind === 'direct' ? what : `${what}, says ${source.reporter}`;
}
