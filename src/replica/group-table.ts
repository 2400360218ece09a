// The shared groups of all nodes: a register for each group and node says how many members the node has,
// and each group chooses by them who serves a message (group-share.ts). Time and the network come from
// outside.
// Invariant: a node counts its own members as it has written them last, which is what the others know.

import type { Stamp } from '../shared/stamp.ts';
import type { ClusterClock } from './cluster-clock.ts';
import { type BlockMessage, MapId } from './codec.ts';
import { GossipMap } from './gossip-map.ts';
import {
  decodeCounts,
  encodeCounts,
  groupKey,
  parseRegisterKey,
  registerKey,
} from './group-register.ts';
import { GroupShare, type LocalMembers, type ShareOwner } from './group-share.ts';
import { chooseNode } from './rendezvous.ts';
import type { Replica } from './replica.ts';
import type { ReplicatedMap } from './replication.ts';

/** Registers of all nodes together. */
const GROUP_REGISTERS_MAX = 100_000;
/** Of -memory-limit, which their memory does not count for. */
const GROUPS_SHARE = 0.05;
/** A register that was cleared is kept this long, ms. */
const TOMBSTONE_MS = 600_000;
/** A node that is offline for this long has to write its registers anew, ms. */
export const ABSENCE_MS = 600_000;
/** Changed groups that are looked at in one turn; a client may be a member of very many. */
export const TURN_GROUPS_MAX = 1000;
/** After a turn that left some for later, ms. */
const TURN_PAUSE_MS = 20;
/** Registers of such nodes that are cleared in one turn. */
const TURN_CLEARED_MAX = 1000;

export interface GroupTableOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  readonly clock: ClusterClock;
  /** Sends a message to a member by gossip. */
  send(member: bigint, message: Buffer): void;
  /** Bytes of such a message at most. */
  readonly messageBytesMax: number;
  /** -memory-limit. Default: no bound. */
  readonly memoryBytesMax?: number;
  /** Time of a monotonic clock, ms. */
  readonly now: number;
  /** A group has changed: call flush() at the end of the turn. */
  flushDue(): void;
  /** A group of this node is not known to other nodes. */
  refused(group: string): void;
}

export class GroupTable implements ReplicatedMap, ShareOwner {
  leftToOthers = 0;
  readonly #options: GroupTableOptions;
  readonly #map: GossipMap;
  readonly #shares = new Map<string, GroupShare>();
  /** Groups of this node whose registers may have to be written. */
  readonly #changed = new Set<GroupShare>();
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #online = new Set<bigint>();
  /** Writers in the table that are not online, with the time since when, ms. */
  #absentSince = new Map<bigint, number>();

  constructor(options: GroupTableOptions) {
    this.#options = options;
    this.#online.add(options.bootId);
    const { bootId: writer, messageBytesMax, send } = options;
    const { memoryBytesMax = Number.POSITIVE_INFINITY } = options;
    const bytesMax = GROUPS_SHARE * memoryBytesMax;
    const bounds = { registersMax: GROUP_REGISTERS_MAX, bytesMax, tombstoneMs: TOMBSTONE_MS };
    this.#map = new GossipMap(
      { id: MapId.groups, writer, messageBytesMax, ...bounds },
      options.clock,
      { send, changed: (key, value, stamp) => this.#takeRegister(key, value, stamp) },
      options.now,
    );
  }

  get replica(): Replica {
    return this.#map.replica;
  }

  get bootId(): bigint {
    return this.#options.bootId;
  }

  /** Counts the groups with members on any node, and those of their members that are connected. */
  count(): { readonly groups: number; readonly members: number } {
    let groups = 0;
    let members = 0;
    for (const share of this.#shares.values()) {
      if (!share.isUnused) groups += 1;
      members += share.countOnline();
    }
    return { groups, members };
  }

  isOnline(bootId: bigint): boolean {
    return this.#online.has(bootId);
  }

  /** A group has its first member on this node. */
  open(name: string, filter: string, members: LocalMembers): GroupShare {
    const share = this.#shareOf(groupKey(name, filter));
    share.members = members;
    return share;
  }

  changed(share: GroupShare): void {
    this.#changed.add(share);
    this.#options.flushDue();
  }

  /**
   * Writes and sends what has changed, but no group too often.
   * @returns when it is due again, ms; Infinity if all is written
   */
  flush(now: number): number {
    if (now < this.#pausedUntil) return this.#pausedUntil;
    let left = Math.min(this.#changed.size, TURN_GROUPS_MAX);
    const isAll = left === this.#changed.size;
    let next = Number.POSITIVE_INFINITY;
    for (const share of this.#changed) {
      if (left-- === 0) break;
      this.#changed.delete(share);
      const { writableAt } = share;
      if (writableAt <= now) {
        this.#write(share, now);
      } else {
        // Behind those that were not looked at.
        this.#changed.add(share);
        next = Math.min(next, writableAt);
      }
    }
    this.#map.flush();
    if (isAll) return next;
    this.#pausedUntil = now + TURN_PAUSE_MS;
    return this.#pausedUntil;
  }

  handleBlock(member: bigint, block: BlockMessage, now: number): void {
    this.#map.handleBlock(member, block, now);
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.#online = new Set(members).add(this.bootId);
    for (const member of members) this.#absentSince.delete(member);
    for (const share of this.#shares.values()) share.membershipChanged();
    this.#map.setMembers(members, now);
  }

  /** Forgets groups without members, and nodes that have been offline for long. Call it now and then. */
  tidy(now: number): void {
    for (const share of this.#shares.values()) {
      // One that is written often keeps its pace, though its only member leaves each time.
      const isResting = share.writableAt <= now && !this.#changed.has(share);
      if (share.isUnused && isResting) this.#shares.delete(share.key);
    }
    this.#clearAbsent(now);
    this.#map.flush();
  }

  /** Clears registers of nodes that have been offline for long: one node does it for each register. */
  #clearAbsent(now: number): void {
    let left = TURN_CLEARED_MAX;
    const online = [...this.#online];
    const absentSince = new Map<bigint, number>();
    for (const { writer } of this.replica.map.digest()) {
      if (!this.#online.has(writer)) absentSince.set(writer, this.#absentSince.get(writer) ?? now);
    }
    this.#absentSince = absentSince;
    for (const [writer, since] of absentSince) {
      if (now - since < ABSENCE_MS) continue;
      for (const { key, hasValue } of [...(this.replica.map.log(writer)?.from(1) ?? [])]) {
        if (!hasValue || chooseNode(key, online) !== this.bootId) continue;
        if (left-- <= 0) return;
        this.#map.write(key, undefined, now);
        this.#setCounts(key, undefined);
      }
    }
  }

  #write(share: GroupShare, now: number): void {
    const { members } = share;
    const size = members?.size ?? 0;
    if (size === 0) share.members = undefined;
    const known = share.countsOf(this.bootId);
    const counts = size === 0 ? undefined : members?.count();
    const value = counts && encodeCounts(counts);
    const isKnown = known !== undefined && value?.equals(encodeCounts(known));
    if (isKnown || (known === undefined && value === undefined)) return;
    if (this.#map.write(registerKey(this.bootId, share.key), value, now)) {
      share.setCounts(this.bootId, counts);
      share.noteWrite(now);
    } else {
      this.#options.refused(share.key);
    }
  }

  #takeRegister(key: string, value: Buffer | undefined, { writer }: Stamp): void {
    const parsed = parseRegisterKey(key);
    if (parsed === undefined) return;
    if (parsed.bootId === this.bootId) {
      // The others took this node for dead. It is not.
      const share = this.#shareOf(parsed.group);
      share.setCounts(this.bootId, undefined);
      this.changed(share);
    } else if (value === undefined || parsed.bootId === writer) {
      this.#setCounts(key, value);
    }
  }

  #setCounts(key: string, value: Buffer | undefined): void {
    const parsed = parseRegisterKey(key);
    if (parsed === undefined) return;
    this.#shareOf(parsed.group).setCounts(parsed.bootId, value && decodeCounts(value));
  }

  #shareOf(key: string): GroupShare {
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = new GroupShare(key, this);
      this.#shares.set(key, share);
    }
    return share;
  }
}
