// All members that this node knows, without itself, with the indexes that the protocol needs: by name,
// by boot id, and in the order of probes. Knows nothing of messages; decides only which member is
// evicted from a full table. Invariant: at any time the hash is that of the online members.

import { type Endpoint, isLoopback, sameEndpoint } from '../shared/endpoint.ts';
import type { ReplayWindow } from '../shared/replay-window.ts';
import { isOnline, type MemberRecord, type MemberState } from './record.ts';
import { recordHash } from './record-hash.ts';

export const MEMBERS_MAX = 4096;
/** Time for which an offline member is remembered and pinged now and then. */
export const RETENTION_MS = 24 * 3600 * 1000;

/** The nonce whose echo begins the counters of a member anew, while they look wrong. */
export interface Recovery {
  readonly nonce: bigint;
  readonly at: number;
}

/** What is known of a member once its boot has echoed a nonce of ours. */
export interface Link {
  window: ReplayWindow;
  /** Counters up to this one were sent before the echo and are refused. */
  floor: number;
  /** Validated source address of its datagrams. */
  endpoint: Endpoint;
  /** When its last datagram arrived. */
  heardAt: number;
  recovery?: Recovery | undefined;
}

export interface Member {
  readonly name: string;
  bootId: bigint;
  incarnation: number;
  state: MemberState;
  /** From its record. */
  address: Endpoint;
  /** The address in the last event about it. */
  reported: Endpoint;
  isAdvertised: boolean;
  metadata: Buffer;
  /** undefined until its boot is validated. */
  link: Link | undefined;
  /** Periods in a row in which it did not ack our pings; one without nacks counts half. */
  strikes: number;
  /** When it becomes offline without strikes of ours; Infinity unless it is suspect. */
  suspicionDeadline: number;
  /** When it got its present state, on our clock. */
  stateSince: number;
  /** When it went offline or left, on our clock. */
  offlineSince: number;
  /** Datagrams that came from it since then. */
  heardSinceOffline: number;
  /** When the first of these came. */
  heardOfflineAt: number;
  /** When this node last had an ack from it, direct or indirect. */
  lastAckAt: number | undefined;
  /** Periods in a row in which we pinged it and got no direct ack. */
  directMisses: number;
  /** Beginning of the first of these periods. */
  missesSince: number;
  /** It went offline because it acked nothing, although it was heard all the time. */
  isUnheard: boolean;
  /** Other nodes got no ack from it either, in the last such period. */
  isNacked: boolean;
  /** Smoothed round trip time of direct pings; undefined before the first direct ack. */
  rttMs: number | undefined;
  /** When two boots with this name were last made known to each other. */
  conflictReportedAt: number;
  hash: bigint;
}

/** Its boot has answered this node at some time, itself or through another node. */
function hasAnswered({ link, lastAckAt }: Member): boolean {
  return link !== undefined || lastAckAt !== undefined;
}

function isWorthLess(one: Member, other: Member): boolean {
  if (hasAnswered(one) !== hasAnswered(other)) return !hasAnswered(one);
  if (isOnline(one.state) !== isOnline(other.state)) return !isOnline(one.state);
  return stateBegan(one) < stateBegan(other);
}

function stateBegan({ state, stateSince, offlineSince }: Member): number {
  return isOnline(state) ? stateSince : offlineSince;
}

/** The address to which datagrams for a member go: the validated one, unless it advertises one. */
export function endpointOf(member: Member): Endpoint {
  return member.isAdvertised ? member.address : (member.link?.endpoint ?? member.address);
}

/** @param isShort without the detail, for a receiver that knows the member */
export function recordOf(member: Member, now: number, isShort: boolean): MemberRecord {
  const { name, bootId, incarnation, state } = member;
  if (isShort) return { name, bootId, incarnation, state, detail: undefined };
  // The loopback address by which we reach it is of no use on other machines.
  const isLocal = isLoopback(endpointOf(member).address);
  const { address, port } = isLocal ? member.address : endpointOf(member);
  const ageMs = isOnline(state) ? 0 : Math.max(0, Math.round(now - member.offlineSince));
  const { isAdvertised, metadata } = member;
  const detail = { address, port, isAdvertised, metadata, ageMs };
  return { name, bootId, incarnation, state, detail };
}

export class MemberTable {
  readonly #byName = new Map<string, Member>();
  readonly #byBoot = new Map<bigint, Member>();
  readonly #online = new Set<Member>();
  readonly #suspects = new Set<Member>();
  readonly #random: () => number;
  /** The member that has waited longest comes first; offline ones are removed at their turn. */
  readonly #probeOrder: Member[] = [];
  readonly #inProbeOrder = new Set<Member>();
  #isNeighboursTurn = false;
  #sortedNames: string[] | undefined;
  #hash = 0n;

  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#byName.size;
  }

  get onlineCount(): number {
    return this.#online.size;
  }

  /** XOR of the hashes of the online members, without this node. */
  get hash(): bigint {
    return this.#hash;
  }

  get suspects(): ReadonlySet<Member> {
    return this.#suspects;
  }

  get online(): ReadonlySet<Member> {
    return this.#online;
  }

  all(): IterableIterator<Member> {
    return this.#byName.values();
  }

  get(name: string): Member | undefined {
    return this.#byName.get(name);
  }

  byBoot(bootId: bigint): Member | undefined {
    return this.#byBoot.get(bootId);
  }

  isOnlineAt(endpoint: Endpoint): boolean {
    for (const member of this.#online) {
      if (sameEndpoint(endpointOf(member), endpoint)) return true;
    }
    return false;
  }

  get isFull(): boolean {
    return this.#byName.size >= MEMBERS_MAX;
  }

  /** To be called while the table has room. */
  add(member: Member): void {
    this.#byName.set(member.name, member);
    this.#byBoot.set(member.bootId, member);
    this.#sortedNames = undefined;
    this.#index(member);
  }

  /** Changes boot, incarnation or state, and keeps the indexes and the hash in step. */
  update(member: Member, change: Partial<Pick<Member, 'bootId' | 'incarnation' | 'state'>>): void {
    if (this.#byBoot.get(member.bootId) === member) this.#byBoot.delete(member.bootId);
    this.#unindex(member);
    Object.assign(member, change);
    this.#byBoot.set(member.bootId, member);
    this.#index(member);
  }

  remove(member: Member): void {
    this.#byName.delete(member.name);
    if (this.#byBoot.get(member.bootId) === member) this.#byBoot.delete(member.bootId);
    this.#sortedNames = undefined;
    this.#unindex(member);
  }

  /**
   * Removes the member of least worth: one that never proved itself goes before one that did, then one
   * that is offline, then the one that has been in its state for longest.
   * @param mayBeOnline whether an online member may go, if it has never proved itself
   * @returns the member; undefined if none may go
   */
  evict(mayBeOnline: boolean): Member | undefined {
    let least: Member | undefined;
    for (const member of this.#byName.values()) {
      if (isOnline(member.state) && (!mayBeOnline || hasAnswered(member))) continue;
      if (least === undefined || isWorthLess(member, least)) least = member;
    }
    if (least !== undefined) this.remove(least);
    return least;
  }

  removeExpired(now: number): void {
    for (const member of this.#byName.values()) {
      if (!isOnline(member.state) && now - member.offlineSince >= RETENTION_MS) this.remove(member);
    }
  }

  /**
   * The next member to probe: in turn the one that follows `name` in the order of names and the one
   * that has waited longest. So each member is pinged by a neighbour every second period, and by each
   * node within 2N periods (decision 0012).
   */
  nextProbeTarget(name: string): Member | undefined {
    this.#isNeighboursTurn = !this.#isNeighboursTurn;
    const neighbour = this.#isNeighboursTurn ? this.#onlineAfter(name) : undefined;
    while (this.#probeOrder.length > 0) {
      const index = neighbour === undefined ? 0 : this.#probeOrder.indexOf(neighbour);
      const member = this.#probeOrder.splice(index, 1)[0]!;
      if (this.#online.has(member)) {
        this.#probeOrder.push(member);
        return member;
      }
      this.#inProbeOrder.delete(member);
    }
    return undefined;
  }

  /** Up to `count` different online members that pass the filter. */
  randomOnline(count: number, filter: (member: Member) => boolean): Member[] {
    return this.#sample(this.#online, count, filter);
  }

  randomOffline(): Member | undefined {
    if (this.#online.size === this.#byName.size) return undefined;
    return this.#sample(this.#byName.values(), 1, (one) => one.state === 'offline')[0];
  }

  /** Names in order, those after `cursor`, for the pages of a state sync. */
  *namesAfter(cursor: string): IterableIterator<string> {
    for (const name of this.#names()) if (name > cursor) yield name;
  }

  /** The next online member in the order of names; the first one follows the last one. */
  #onlineAfter(name: string): Member | undefined {
    let first: Member | undefined;
    for (const other of this.#names()) {
      const member = this.#byName.get(other);
      if (member === undefined || !this.#online.has(member)) continue;
      if (other > name) return member;
      first ??= member;
    }
    return first;
  }

  #names(): readonly string[] {
    this.#sortedNames ??= [...this.#byName.keys()].sort();
    return this.#sortedNames;
  }

  #index(member: Member): void {
    if (!isOnline(member.state)) return;
    member.hash = recordHash(member.name, member.bootId, member.incarnation);
    this.#hash ^= member.hash;
    this.#online.add(member);
    if (member.state === 'suspect') this.#suspects.add(member);
    if (this.#inProbeOrder.has(member)) return;
    this.#inProbeOrder.add(member);
    this.#probeOrder.splice(this.#below(this.#probeOrder.length + 1), 0, member);
  }

  #unindex(member: Member): void {
    if (!this.#online.delete(member)) return;
    this.#suspects.delete(member);
    this.#hash ^= member.hash;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Reservoir sampling, which needs no copy of the table. */
  #sample(from: Iterable<Member>, count: number, filter: (member: Member) => boolean): Member[] {
    const chosen: Member[] = [];
    let seen = 0;
    for (const member of from) {
      if (!filter(member)) continue;
      seen += 1;
      if (chosen.length < count) chosen.push(member);
      else {
        const index = this.#below(seen);
        if (index < count) chosen[index] = member;
      }
    }
    return chosen;
  }
}
