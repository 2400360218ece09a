// All members that this node knows, itself not among them, in the orders in which they are needed:
// by name, by boot, by turn of pings. Knows nothing of messages; decides nothing but what is
// evicted when it is full. Invariant: the hash is that of the online members, at any time.

import { type Endpoint, isLoopback, sameEndpoint } from '../shared/endpoint.ts';
import type { ReplayWindow } from '../shared/replay-window.ts';
import { isOnline, type MemberRecord, type MemberState } from './record.ts';
import { recordHash } from './record-hash.ts';

export const MEMBERS_MAX = 4096;
/** An offline member is remembered, and told now and then that we are here, for so long. */
export const RETENTION_MS = 24 * 3600 * 1000;

/** Exists once the member's boot has echoed a nonce of ours. */
export interface Link {
  readonly window: ReplayWindow;
  /** Counters up to here were sent before the proof and are refused. */
  readonly floor: number;
  /** Where its datagrams come from. */
  endpoint: Endpoint;
  /** When the last of them came. */
  heardAt: number;
}

export interface Member {
  readonly name: string;
  bootId: bigint;
  incarnation: number;
  state: MemberState;
  /** As its record tells. */
  address: Endpoint;
  isAdvertised: boolean;
  metadata: Buffer;
  link: Link | undefined;
  /** Failed rounds in a row, as this node counted them; may be half. */
  strikes: number;
  /** When we give it up without strikes of our own; Infinity unless suspect. */
  suspicionDeadline: number;
  /** When it went offline or left, on our clock. */
  goneAt: number;
  /** When this node last had an answer from it, directly or through a helper. */
  lastAnswerAt: number | undefined;
  /** When two boots under this name were last told of each other. */
  contestedAt: number;
  hash: bigint;
}

/** The address to use for a member: the proven one, unless it advertises another. */
export function endpointOf(member: Member): Endpoint {
  return member.isAdvertised ? member.address : (member.link?.endpoint ?? member.address);
}

export function recordOf(member: Member, now: number, isShort: boolean): MemberRecord {
  const { name, bootId, incarnation, state } = member;
  if (isShort) return { name, bootId, incarnation, state, detail: undefined };
  // That we reach it on this machine is of no use to others.
  const isLocal = isLoopback(endpointOf(member).address);
  const { address, port } = isLocal ? member.address : endpointOf(member);
  const ageMs = isOnline(state) ? 0 : Math.max(0, Math.round(now - member.goneAt));
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
  /** Whom to ping, the longest waiting first; one that went offline stays until its turn comes. */
  readonly #turn: Member[] = [];
  readonly #inTurn = new Set<Member>();
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

  /** XOR of the hashes of the online members; whoever compares adds itself. */
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

  /** @returns false where the table is full of members that are online */
  add(member: Member): boolean {
    if (this.#byName.size >= MEMBERS_MAX && !this.#evict()) return false;
    this.#byName.set(member.name, member);
    this.#byBoot.set(member.bootId, member);
    this.#sortedNames = undefined;
    this.#index(member);
    return true;
  }

  /** Every change of boot, incarnation or state goes through here. */
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

  removeExpired(now: number): void {
    for (const member of this.#byName.values()) {
      if (!isOnline(member.state) && now - member.goneAt >= RETENTION_MS) this.remove(member);
    }
  }

  /**
   * The next to ping: now the one behind `name` in the order of names, now the one that has waited
   * longest. So somebody pings each member every second period, and every node pings it within 2N
   * (decision 0012).
   */
  nextInTurn(name: string): Member | undefined {
    this.#isNeighboursTurn = !this.#isNeighboursTurn;
    const neighbour = this.#isNeighboursTurn ? this.#onlineBehind(name) : undefined;
    while (this.#turn.length > 0) {
      const place = neighbour === undefined ? 0 : this.#turn.indexOf(neighbour);
      const member = this.#turn.splice(place, 1)[0]!;
      if (this.#online.has(member)) {
        this.#turn.push(member);
        return member;
      }
      this.#inTurn.delete(member);
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

  /** Names in order, behind `cursor`: the pages of the state exchange. */
  *namesAfter(cursor: string): IterableIterator<string> {
    for (const name of this.#names()) if (name > cursor) yield name;
  }

  /** Round the circle of names. */
  #onlineBehind(name: string): Member | undefined {
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
    if (this.#inTurn.has(member)) return;
    this.#inTurn.add(member);
    this.#turn.splice(this.#below(this.#turn.length + 1), 0, member);
  }

  #unindex(member: Member): void {
    if (!this.#online.delete(member)) return;
    this.#suspects.delete(member);
    this.#hash ^= member.hash;
  }

  /** The member that has been gone longest makes room. */
  #evict(): boolean {
    let oldest: Member | undefined;
    for (const member of this.#byName.values()) {
      if (isOnline(member.state)) continue;
      if (oldest === undefined || member.goneAt < oldest.goneAt) oldest = member;
    }
    if (oldest !== undefined) this.remove(oldest);
    return oldest !== undefined;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Reservoir sampling: no copy of the table. */
  #sample(from: Iterable<Member>, count: number, filter: (member: Member) => boolean): Member[] {
    const chosen: Member[] = [];
    let seen = 0;
    for (const member of from) {
      if (!filter(member)) continue;
      seen += 1;
      if (chosen.length < count) chosen.push(member);
      else {
        const place = this.#below(seen);
        if (place < count) chosen[place] = member;
      }
    }
    return chosen;
  }
}
