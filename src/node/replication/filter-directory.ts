// What the sessions of each node subscribe to, for -forward=interest: announces the Topic Filters of this
// node, joined and bounded, and knows those of the others. A node of which no whole list is here
// wants everything, so what is unknown costs traffic and never a message.
// Invariant: a filter is announced within TICK_MS, or UPDATE_INTERVAL_MS after the last announcement; those of a
// session that moves here, before its old node deletes it.

import type { SubscribedFilters } from '../../broker/ports.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { FilterSet } from '../../mqtt/filter-set.ts';
import { joinFilters } from '../../mqtt/joined-filters.ts';
import type { ClusterClock } from '../../replica/cluster-clock.ts';
import { type BlockMessage, MapId } from '../../replica/codec.ts';
import {
  decodeFilters,
  encodeFilters,
  FILTER_REGISTERS_MAX,
  filtersKey,
  nodeOfFiltersKey,
} from '../../replica/filters-value.ts';
import { GossipMap } from '../../replica/gossip-map.ts';
import { chooseNode } from '../../replica/rendezvous.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicatedMap } from '../../replica/replication.ts';
import type { Interest } from '../../sync/peer-outputs.ts';

const TICK_MS = 50;
/** Between two announcements: subscriptions that come in a burst are announced together. */
const UPDATE_INTERVAL_MS = 250;
/** Joining many filters takes no more than this share of the time. */
const JOIN_SHARE_MAX = 0.05;
/** Registers of the filters of all nodes. */
const FILTER_REGISTERS_ALL_MAX = 4096;
const TOMBSTONE_MS = 600_000;
/** A node that has been offline for this time loses its registers; it announces anew when it is back. */
const ABSENT_MS = 600_000;
const CLEAR_INTERVAL_MS = 10_000;

export interface ClusterFiltersOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  readonly nodeName: string;
  readonly clock: ClusterClock;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  readonly subscribed: SubscribedFilters;
  send(member: bigint, message: Buffer): void;
  readonly messageBytesMax: number;
}

export class ClusterFilters implements Interest, ReplicatedMap {
  /** Rises when another node's filters change here. */
  version = 0;
  readonly #options: ClusterFiltersOptions;
  readonly #map: GossipMap;
  /** Filters of the members, by boot id. */
  readonly #sets = new Map<bigint, FilterSet>();
  /** Which process announces for a node, by name. */
  readonly #writers = new Map<string, bigint>();
  /** Writers that are not online, with the time since when, ms. */
  readonly #absentSince = new Map<bigint, number>();
  #members: readonly bigint[] = [];
  readonly #timer: NodeJS.Timeout;
  #announced: readonly string[] | undefined;
  #announcedVersion = -1;
  #lists = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  /** Joining filters before this time takes more than its share. */
  #joinAt = Number.NEGATIVE_INFINITY;
  #clearAt = Number.NEGATIVE_INFINITY;

  constructor(options: ClusterFiltersOptions) {
    this.#options = options;
    const { bootId: writer, messageBytesMax, send, clock } = options;
    const mapOptions = {
      id: MapId.filters,
      writer,
      messageBytesMax,
      registersMax: FILTER_REGISTERS_ALL_MAX,
      tombstoneMs: TOMBSTONE_MS,
    };
    const changed = (key: string): void => this.#changed(nodeOfFiltersKey(key));
    this.#map = new GossipMap(mapOptions, clock, { send, changed }, options.now());
    this.#timer = setInterval(() => this.tick(options.now()), TICK_MS);
    this.#timer.unref();
  }

  get replica(): Replica {
    return this.#map.replica;
  }

  wants(bootId: bigint, levels: readonly string[]): boolean {
    return this.#sets.get(bootId)?.matches(levels) ?? true;
  }

  handleBlock(member: bigint, block: BlockMessage, now: number): void {
    this.#map.handleBlock(member, block, now);
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.#members = members;
    this.#map.setMembers(members, now);
    this.#sets.clear();
    this.version += 1;
    const nodes = new Set([...this.#map.entries()].map(([key]) => nodeOfFiltersKey(key)));
    for (const node of nodes) this.#read(node);
  }

  metrics(): ValuesOf<'interest'> {
    return {
      filters: this.#announced?.length ?? 0,
      announcements: this.#lists,
      knownNodes: this.#sets.size,
      differing: this.replica.differing.length,
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Announces what has changed. Its timer calls it every TICK_MS. */
  tick(now: number): void {
    if (now >= this.#clearAt) {
      this.#clearAt = now + CLEAR_INTERVAL_MS;
      this.#clearAbsent(now);
    }
    const { version } = this.#options.subscribed;
    if (version === this.#announcedVersion || now < this.#nextAt) return;
    this.#announcedVersion = version;
    const filters = joinFilters(this.#options.subscribed.filters());
    const tookMs = this.#options.now() - now;
    this.#joinAt = now + tookMs / JOIN_SHARE_MAX;
    this.#nextAt = Math.max(now + UPDATE_INTERVAL_MS, this.#joinAt);
    if (this.#announced === undefined || !isSame(filters, this.#announced)) this.#announce(filters);
  }

  /** Announces what has changed at once: a session has moved here, and its old node is about to delete it. */
  announceNow(now: number): void {
    this.#nextAt = this.#joinAt;
    this.tick(now);
  }

  #announce(filters: readonly string[]): void {
    this.#announced = filters;
    this.#lists += 1;
    const now = this.#options.now();
    const values = encodeFilters(filters, this.#lists);
    for (let index = 0; index < FILTER_REGISTERS_MAX; index++) {
      const key = filtersKey(this.#options.nodeName, index);
      if (index < values.length || this.#map.get(key) !== undefined) {
        this.#map.write(key, values[index], now);
      }
    }
    this.#map.flush();
  }

  #changed(node: string): void {
    if (node === this.#options.nodeName) {
      // What the process before this one announced came back with a later time.
      this.#announced = undefined;
      this.#announcedVersion = -1;
      return;
    }
    this.#read(node);
    this.version += 1;
  }

  /** Reads the filters of the process that wrote the node's first register last, if it is a member. */
  #read(node: string): void {
    const register = this.replica.map.get(filtersKey(node, 0));
    const writer = register?.hasValue === true ? register.writer : undefined;
    const before = this.#writers.get(node);
    if (before !== undefined && before !== writer) this.#sets.delete(before);
    if (writer === undefined) {
      this.#writers.delete(node);
      return;
    }
    this.#writers.set(node, writer);
    const filters = decodeFilters(this.#valuesOf(node, writer));
    if (filters === undefined || !this.#members.includes(writer)) this.#sets.delete(writer);
    else this.#sets.set(writer, new FilterSet(filters));
  }

  #valuesOf(node: string, writer: bigint): (Buffer | undefined)[] {
    return Array.from({ length: FILTER_REGISTERS_MAX }, (_, index) => {
      const key = filtersKey(node, index);
      return this.replica.map.get(key)?.writer === writer ? this.#map.get(key) : undefined;
    });
  }

  /** Clears the registers of nodes that have been offline for long: names may never return. */
  #clearAbsent(now: number): void {
    const { bootId } = this.#options;
    const online = [...this.#members, bootId];
    for (const [node, writer] of this.#writers) {
      if (online.includes(writer)) {
        this.#absentSince.delete(writer);
        continue;
      }
      const since = this.#absentSince.get(writer) ?? now;
      this.#absentSince.set(writer, since);
      if (now - since < ABSENT_MS || chooseNode(node, online) !== bootId) continue;
      this.#absentSince.delete(writer);
      for (let index = 0; index < FILTER_REGISTERS_MAX; index++) {
        const key = filtersKey(node, index);
        if (this.#map.get(key) !== undefined) this.#map.write(key, undefined, now);
      }
      this.#read(node);
      this.#map.flush();
    }
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((filter, index) => filter === b[index]);
}
