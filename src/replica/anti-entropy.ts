// Finds and fetches what this node lacks of the writers' logs. Members whose state differs are sent
// this node's digest, so that each side sees what it lacks and asks for it; no node pushes.
// One request at a time is open to each member, and a writer's log is asked of one member only, so
// that a late joiner is not sent everything by everybody.
// Source: Scuttlebutt reconciliation (van Renesse et al. 2008), paged and paced.

import { Agreement } from './agreement.ts';
import type { Coverage } from './coverage.ts';
import {
  BUSY_MS,
  DIGEST_FIRST_MS,
  DIGEST_INTERVAL_MS,
  GRACE_MS,
  GREETED_MAX,
  REQUEST_RANGES_MAX,
  REQUEST_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS_MIN,
  REQUEST_TRIES_MAX,
} from './limits.ts';
import { coverageOf, digestCovers, PeerKnowledge } from './peer-knowledge.ts';
import type { DigestEntry, RegisterMap } from './register-map.ts';
import type { LogRange, RepairPort } from './repair-port.ts';

interface OpenRequest {
  readonly id: number;
  readonly writers: ReadonlySet<bigint>;
  readonly sentAt: number;
  hasAnswer: boolean;
  deadline: number;
}

interface PeerState {
  readonly member: bigint;
  readonly knowledge: PeerKnowledge;
  request: OpenRequest | undefined;
  /** Of the request before this one: the network may bring its last block before others. */
  closedId: number | undefined;
  /** What its digest claims is asked for from then on, ms; Infinity while nothing is claimed. */
  dueAt: number;
  /** How long a request is given until the next block comes, ms: four times its usual first answer. */
  patienceMs: number;
  /** Requests in a row that no block answered. */
  unanswered: number;
  /** The next digest is sent to it no sooner, ms. */
  digestAt: number;
  digestDelayMs: number;
  isDifferent: boolean;
  readonly agreement: Agreement;
}

export interface DifferingMember {
  readonly member: bigint;
  /** Up to then it held the same, ms of the monotonic clock. */
  readonly agreedAt: number;
}

export interface RepairCounters {
  digestsSent: number;
  requestsSent: number;
  requestsTimedOut: number;
  blocksReceived: number;
}

export class AntiEntropy {
  readonly counters: RepairCounters = {
    digestsSent: 0,
    requestsSent: 0,
    requestsTimedOut: 0,
    blocksReceived: 0,
  };
  readonly #map: RegisterMap;
  readonly #port: RepairPort;
  readonly #peers = new Map<bigint, PeerState>();
  /** Writers that an open request asks for. */
  readonly #asked = new Set<bigint>();
  #lastId = 0;

  constructor(map: RegisterMap, port: RepairPort) {
    this.#map = map;
    this.#port = port;
  }

  /** Members whose state was another than ours when they last said. */
  get differing(): readonly DifferingMember[] {
    return [...this.#peers.values()]
      .filter(({ isDifferent }) => isDifferent)
      .map(({ member, agreement }) => ({ member, agreedAt: agreement.agreedAt }));
  }

  /** The members that are online now, by boot id; replaces the list. New ones are sent our digest. */
  setMembers(members: readonly bigint[], now: number): void {
    const online = new Set(members);
    for (const [member, peer] of this.#peers) {
      if (online.has(member)) continue;
      this.#close(peer);
      this.#peers.delete(member);
    }
    let greeted = 0;
    for (const member of online) {
      if (this.#peers.has(member)) continue;
      const peer = newPeer(member, now);
      this.#peers.set(member, peer);
      if (greeted++ < GREETED_MAX) this.#sendDigest(peer, now);
    }
  }

  isMember(member: bigint): boolean {
    return this.#peers.has(member);
  }

  get deadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const { request, dueAt } of this.#peers.values()) {
      deadline = Math.min(deadline, request?.deadline ?? dueAt);
    }
    return deadline;
  }

  /** What a member's ping says of its state. A digest answers where it differs from ours. */
  compare(member: bigint, isEqual: boolean, now: number): void {
    const peer = this.#peers.get(member);
    if (peer === undefined) return;
    peer.isDifferent = !isEqual;
    if (isEqual) {
      peer.digestDelayMs = DIGEST_FIRST_MS;
      peer.agreement.equal(now);
    } else this.#sendDigest(peer, now);
  }

  /**
   * What a member knows. Where it lacks what we have it is sent our digest.
   * @param entries the whole digest
   */
  handleDigest(member: bigint, entries: readonly DigestEntry[], now: number): void {
    const peer = this.#peers.get(member);
    if (peer === undefined) return;
    const ours = [...this.#map.digest()];
    peer.agreement.compare(ours, entries, now);
    if (!digestCovers(entries, ours)) this.#sendDigest(peer, now);
    const { knowledge } = peer;
    knowledge.handleDigest(entries, this.#map.writer);
    this.#dropSatisfied(knowledge);
    if (knowledge.claims.size === 0) {
      this.#settle(peer);
      return;
    }
    // Of writers of which nothing is known nothing can be on its way.
    const isKnown = [...knowledge.claims.keys()].every((writer) => this.#map.log(writer));
    if (peer.dueAt === Number.POSITIVE_INFINITY) peer.dueAt = isKnown ? now + GRACE_MS : now;
    this.#ask(peer, now);
  }

  /** The registers of a block have been applied. */
  handleBlock(
    member: bigint,
    block: { readonly requestId: number; readonly range: LogRange; readonly isLast: boolean },
    now: number,
  ): void {
    const peer = this.#peers.get(member);
    if (peer === undefined) return;
    const { request, closedId } = peer;
    const isCurrent = request !== undefined && request.id === block.requestId;
    if (!isCurrent && block.requestId !== closedId) return;
    this.counters.blocksReceived += 1;
    peer.knowledge.addFetched(block.range.writer, block.range);
    if (!isCurrent) return;
    if (!request.hasAnswer) learnPatience(peer, now - request.sentAt);
    request.hasAnswer = true;
    request.deadline = now + peer.patienceMs;
    peer.unanswered = 0;
    if (!block.isLast) return;
    this.#close(peer);
    this.#ask(peer, now);
  }

  advance(now: number): void {
    for (const peer of this.#peers.values()) {
      if (peer.request !== undefined && now >= peer.request.deadline) this.#giveUp(peer);
      this.#ask(peer, now);
    }
  }

  /** Asks the member for what it knows and we lack, unless another member is being asked. */
  #ask(peer: PeerState, now: number): void {
    if (peer.request !== undefined || now < peer.dueAt) return;
    const { knowledge } = peer;
    if (knowledge.claims.size > 0 && !this.#port.mayAsk(now)) {
      peer.dueAt = now + BUSY_MS;
      return;
    }
    const ranges: LogRange[] = [];
    const writers = new Set<bigint>();
    for (const [writer, theirs] of knowledge.claims) {
      if (ranges.length >= REQUEST_RANGES_MAX) break;
      if (this.#asked.has(writer)) continue;
      const lacking = this.#held(writer).lacking(theirs, REQUEST_RANGES_MAX - ranges.length);
      if (lacking.length === 0) knowledge.drop(writer);
      else writers.add(writer);
      for (const range of lacking) ranges.push({ writer, ...range });
    }
    if (ranges.length > 0) this.#request(peer, ranges, writers, now);
    else if (knowledge.claims.size === 0) this.#finish(peer, now);
    // What is left is asked of another member; if in vain, from here a moment later.
    else peer.dueAt = now + GRACE_MS;
  }

  #request(
    peer: PeerState,
    ranges: readonly LogRange[],
    writers: ReadonlySet<bigint>,
    now: number,
  ): void {
    for (const writer of writers) this.#asked.add(writer);
    this.#lastId = (this.#lastId % 0xffffffff) + 1;
    const deadline = now + peer.patienceMs;
    peer.request = { id: this.#lastId, writers, sentAt: now, hasAnswer: false, deadline };
    this.counters.requestsSent += 1;
    this.#port.sendRequest(peer.member, { id: this.#lastId, ranges });
  }

  /** All that its last digest claimed is here. The member's next digest settles what was fetched. */
  #finish(peer: PeerState, now: number): void {
    this.#settle(peer);
    if (peer.knowledge.hasFetched) this.#sendDigest(peer, now);
  }

  #settle(peer: PeerState): void {
    peer.dueAt = Number.POSITIVE_INFINITY;
    for (const { writer, range } of peer.knowledge.takeSealed()) this.#map.cover(writer, range);
  }

  #dropSatisfied(knowledge: PeerKnowledge): void {
    for (const [writer, theirs] of knowledge.claims) {
      if (this.#held(writer).lacking(theirs, 1).length === 0) knowledge.drop(writer);
    }
  }

  /** What is known here of a log, with what was fetched and is not settled yet. */
  #held(writer: bigint): Coverage {
    const held = this.#map.log(writer)?.coverage;
    const coverage = coverageOf(held?.ranges() ?? []);
    for (const { knowledge } of this.#peers.values()) knowledge.addFetchedTo(coverage, writer);
    return coverage;
  }

  #sendDigest(peer: PeerState, now: number): void {
    if (now < peer.digestAt) return;
    peer.digestAt = now + peer.digestDelayMs;
    peer.digestDelayMs = Math.min(peer.digestDelayMs * 2, DIGEST_INTERVAL_MS);
    this.counters.digestsSent += 1;
    this.#port.sendDigest(peer.member, [...this.#map.digest()]);
  }

  /** Blocks were lost, or the member is gone: after some tries its claims have to be heard anew. */
  #giveUp(peer: PeerState): void {
    this.counters.requestsTimedOut += 1;
    this.#close(peer);
    peer.unanswered += 1;
    peer.patienceMs = Math.min(peer.patienceMs * 2, REQUEST_TIMEOUT_MS);
    if (peer.unanswered < REQUEST_TRIES_MAX) return;
    peer.unanswered = 0;
    peer.dueAt = Number.POSITIVE_INFINITY;
    peer.knowledge.dropAll();
  }

  #close(peer: PeerState): void {
    const { request } = peer;
    if (request === undefined) return;
    for (const writer of request.writers) this.#asked.delete(writer);
    peer.closedId = request.id;
    peer.request = undefined;
  }
}

function learnPatience(peer: PeerState, answeredMs: number): void {
  const patience = (peer.patienceMs + 4 * answeredMs) / 2;
  peer.patienceMs = Math.min(Math.max(patience, REQUEST_TIMEOUT_MS_MIN), REQUEST_TIMEOUT_MS);
}

function newPeer(member: bigint, now: number): PeerState {
  return {
    member,
    knowledge: new PeerKnowledge(),
    request: undefined,
    closedId: undefined,
    dueAt: Number.POSITIVE_INFINITY,
    patienceMs: REQUEST_TIMEOUT_MS,
    unanswered: 0,
    digestAt: now,
    digestDelayMs: DIGEST_FIRST_MS,
    isDifferent: false,
    agreement: new Agreement(now),
  };
}
