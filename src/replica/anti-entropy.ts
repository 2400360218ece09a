// Finds and fetches what this node lacks of the writers' logs. Members whose state differs are sent
// this node's digest, so that each side sees what it lacks and asks for it; nobody pushes.
// One request at a time is open to each member, and a writer's log is asked of one member only, so
// that a late joiner is not sent everything by everybody.
// Source: Scuttlebutt reconciliation (van Renesse et al. 2008), paged and paced.

import { Coverage, type Range } from './coverage.ts';
import {
  CLAIMS_MAX,
  DIGEST_FIRST_MS,
  DIGEST_INTERVAL_MS,
  GRACE_MS,
  REQUEST_RANGES_MAX,
  REQUEST_TIMEOUT_MS,
  REQUEST_TRIES_MAX,
} from './limits.ts';
import type { DigestEntry, RegisterMap } from './register-map.ts';
import type { LogRange, RepairPort } from './repair-port.ts';

/** Members that are sent a digest at once when many come online together. */
const GREETED_MAX = 8;

interface Claim {
  /** What the member says that it knows of the writer's log. */
  readonly coverage: Coverage;
  /** It is asked for what we lack from then on, ms. */
  readonly dueAt: number;
}

interface OpenRequest {
  readonly id: number;
  readonly writers: ReadonlySet<bigint>;
  deadline: number;
}

interface PeerState {
  readonly member: bigint;
  /** By writer, where the member knows more than we do. */
  readonly claims: Map<bigint, Claim>;
  request: OpenRequest | undefined;
  /** Requests in a row that no block answered. */
  unanswered: number;
  /** The next digest is sent no sooner, ms. */
  digestAt: number;
  digestDelayMs: number;
  isDifferent: boolean;
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
  get differing(): number {
    let count = 0;
    for (const { isDifferent } of this.#peers.values()) count += isDifferent ? 1 : 0;
    return count;
  }

  /** The members that are online now, by boot id; replaces the list. New ones are sent our digest. */
  setMembers(members: readonly bigint[], now: number): void {
    let greeted = 0;
    for (const [member, peer] of this.#peers) {
      if (members.includes(member)) continue;
      this.#close(peer);
      this.#peers.delete(member);
    }
    for (const member of members) {
      if (this.#peers.has(member)) continue;
      const peer: PeerState = {
        member,
        claims: new Map(),
        request: undefined,
        unanswered: 0,
        digestAt: now,
        digestDelayMs: DIGEST_FIRST_MS,
        isDifferent: false,
      };
      this.#peers.set(member, peer);
      if (greeted++ < GREETED_MAX) this.#sendDigest(peer, now);
    }
  }

  isMember(member: bigint): boolean {
    return this.#peers.has(member);
  }

  get deadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const peer of this.#peers.values()) deadline = Math.min(deadline, this.#deadlineOf(peer));
    return deadline;
  }

  /** What a member's ping says of its state. A digest answers where it differs from ours. */
  compare(member: bigint, isEqual: boolean, now: number): void {
    const peer = this.#peers.get(member);
    if (peer === undefined) return;
    peer.isDifferent = !isEqual;
    if (isEqual) {
      peer.digestDelayMs = DIGEST_FIRST_MS;
      return;
    }
    this.#sendDigest(peer, now);
  }

  /**
   * What a member has. Where it lacks what we have it is sent our digest.
   * @param isWhole the member has nothing else
   */
  handleDigest(
    member: bigint,
    entries: readonly DigestEntry[],
    isWhole: boolean,
    now: number,
  ): void {
    const peer = this.#peers.get(member);
    if (peer === undefined) return;
    if (isWhole && this.#lacksOurs(entries)) this.#sendDigest(peer, now);
    for (const { writer, known } of entries) {
      if (writer !== this.#map.writer) this.#note(peer, writer, known, now);
    }
    this.#ask(peer, now);
  }

  /** A block has been applied. */
  handleBlock(member: bigint, requestId: number, isLast: boolean, now: number): void {
    this.counters.blocksReceived += 1;
    const peer = this.#peers.get(member);
    const request = peer?.request;
    if (peer === undefined || request === undefined || request.id !== requestId) return;
    request.deadline = now + REQUEST_TIMEOUT_MS;
    peer.unanswered = 0;
    if (!isLast) return;
    this.#close(peer);
    this.#ask(peer, now);
  }

  advance(now: number): void {
    for (const peer of this.#peers.values()) {
      const { request } = peer;
      if (request !== undefined && now >= request.deadline) {
        this.#giveUp(peer, request);
      }
      this.#ask(peer, now);
    }
  }

  #note(peer: PeerState, writer: bigint, known: readonly Range[], now: number): void {
    const coverage = peer.claims.get(writer)?.coverage ?? new Coverage();
    for (const { from, to } of known) coverage.cover(from, to);
    if (this.#map.lacking(writer, coverage, 1).length === 0) {
      peer.claims.delete(writer);
    } else if (!peer.claims.has(writer) && peer.claims.size < CLAIMS_MAX) {
      // Of a writer of which nothing is known nothing can be on its way.
      const isOnItsWay = this.#map.log(writer) !== undefined;
      peer.claims.set(writer, { coverage, dueAt: isOnItsWay ? now + GRACE_MS : now });
    }
  }

  #sendDigest(peer: PeerState, now: number): void {
    if (now < peer.digestAt) return;
    peer.digestAt = now + peer.digestDelayMs;
    peer.digestDelayMs = Math.min(peer.digestDelayMs * 2, DIGEST_INTERVAL_MS);
    this.counters.digestsSent += 1;
    this.#port.sendDigest(peer.member, [...this.#map.digest()]);
  }

  #lacksOurs(entries: readonly DigestEntry[]): boolean {
    const theirs = new Map(entries.map((entry) => [entry.writer, entry.known]));
    for (const { writer, known } of this.#map.digest()) {
      const coverage = new Coverage();
      for (const { from, to } of theirs.get(writer) ?? []) coverage.cover(from, to);
      if (known.some((range) => !isWithin(range, coverage.firstCovered(range)))) return true;
    }
    return false;
  }

  /** Blocks were lost, or the member is gone: after some tries its claims have to be heard anew. */
  #giveUp(peer: PeerState, { writers }: OpenRequest): void {
    this.counters.requestsTimedOut += 1;
    peer.unanswered += 1;
    if (peer.unanswered >= REQUEST_TRIES_MAX) {
      peer.unanswered = 0;
      for (const writer of writers) peer.claims.delete(writer);
    }
    this.#close(peer);
  }

  #ask(peer: PeerState, now: number): void {
    if (peer.request !== undefined) return;
    const ranges: LogRange[] = [];
    const writers = new Set<bigint>();
    for (const [writer, claim] of peer.claims) {
      if (ranges.length >= REQUEST_RANGES_MAX) break;
      if (now < claim.dueAt || this.#asked.has(writer)) continue;
      const room = REQUEST_RANGES_MAX - ranges.length;
      const missing = this.#map.lacking(writer, claim.coverage, room);
      if (missing.length === 0) peer.claims.delete(writer);
      else writers.add(writer);
      for (const range of missing) ranges.push({ writer, ...range });
    }
    if (ranges.length === 0) return;
    for (const writer of writers) this.#asked.add(writer);
    this.#lastId = (this.#lastId % 0xffffffff) + 1;
    peer.request = { id: this.#lastId, writers, deadline: now + REQUEST_TIMEOUT_MS };
    this.counters.requestsSent += 1;
    this.#port.sendRequest(peer.member, { id: this.#lastId, ranges });
  }

  #close(peer: PeerState): void {
    for (const writer of peer.request?.writers ?? []) this.#asked.delete(writer);
    peer.request = undefined;
  }

  #deadlineOf({ request, claims }: PeerState): number {
    if (request !== undefined) return request.deadline;
    let deadline = Number.POSITIVE_INFINITY;
    for (const [writer, { dueAt }] of claims) {
      if (!this.#asked.has(writer)) deadline = Math.min(deadline, dueAt);
    }
    return deadline;
  }
}

function isWithin(range: Range, covered: Range | undefined): boolean {
  return covered !== undefined && covered.from === range.from && covered.to === range.to;
}
