// Which node of a cluster runs a bridge, and how far it has come, known to all nodes alike. Every node that
// has the bridge in its configuration collects the outgoing messages; one of them sends. When it dies,
// another one goes on from what the far side has acknowledged.
//
// Each node writes a register for each of its bridges: since when it collects without a gap, and until
// when all that it collected is acknowledged. The node that has collected for the longest runs the
// bridge: so it stays where it is when others come, and its successor has the most to go on from.
// Times are those of the cluster clock, which differ by less than MARGIN_MS between nodes that see each
// other. What all of this does not cover is in docs/bridge.md.

import { performance } from 'node:perf_hooks';
import type { ClusterClock } from '../../replica/cluster-clock.ts';
import { type BlockMessage, MapId } from '../../replica/codec.ts';
import { GossipMap } from '../../replica/gossip-map.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicatedMap } from '../../replica/replication.ts';
import { QueueAges } from './queue-ages.ts';

const TICK_MS = 1000;
const MARGIN_MS = 3000;
/** For the registers of nodes that are online already. */
const SETTLE_MS = 3000;
/** For the register of a node that came just before this one: its next tick, and the way here. */
const WRITTEN_MS = 2 * TICK_MS;
const REGISTERS_MAX = 4096;
const TOMBSTONE_MS = 600_000;

/** The outgoing session of a bridge, as this file needs it. */
export interface PlacedBridge {
  readonly name: string;
  /** Ids of the last delivery that was queued, and of the oldest that is not acknowledged; 0: none. */
  readonly lastId: number;
  readonly oldestId: number;
  /** Drops deliveries that another node has sent. @returns how many */
  dropSent(afterId: number, upToId: number): number;
  /** Called at the first choice, and when it changes: whether this node is to run the bridge. */
  run(isHere: boolean): void;
  /** Whether this node does without that one, although it is online. */
  takesFrom?(nodeName: string): boolean;
  /** Another node has run the bridge as well, for a while. */
  ranElsewhere?(): void;
}

export interface BridgePlacesOptions {
  readonly bootId: bigint;
  readonly nodeName: string;
  readonly clock: ClusterClock;
  send(member: bigint, message: Buffer): void;
  readonly messageBytesMax: number;
}

interface Place {
  readonly nodeName: string;
  readonly bootId: bigint;
  readonly since: number;
  readonly acknowledged: number;
}

interface Entry {
  readonly bridge: PlacedBridge;
  readonly ages: QueueAges;
  readonly since: number;
  /** Undefined until the first choice. */
  isHere: boolean | undefined;
  /** The latest time that another node has acknowledged, as known when this node was chosen, or since. */
  elsewhere: number;
  /** What was collected before stays: no other node is known to have it. */
  trimFromId: number;
  /** Since when the run of this node before this one had collected; undefined: there was none. */
  previousSince: number | undefined;
  written: number;
  trimmed: number;
}

export class BridgePlaces implements ReplicatedMap {
  readonly #options: BridgePlacesOptions;
  readonly #map: GossipMap;
  readonly #entries = new Map<string, Entry>();
  #members: readonly bigint[] = [];
  /** Before that this node does not know what its run before has written. */
  #writesAt = Number.POSITIVE_INFINITY;
  /** Before that a node that comes before this one may be unknown. */
  #choosesAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BridgePlacesOptions) {
    this.#options = options;
    const { bootId: writer, messageBytesMax, send, clock } = options;
    const mapOptions = {
      id: MapId.bridges,
      writer,
      messageBytesMax,
      registersMax: REGISTERS_MAX,
      tombstoneMs: TOMBSTONE_MS,
    };
    const changed = (): void => this.choose();
    this.#map = new GossipMap(mapOptions, clock, { send, changed }, performance.now());
  }

  get replica(): Replica {
    return this.#map.replica;
  }

  /** Messages of the bridge that this node had collected and another one has sent. */
  sentElsewhere(name: string): number {
    return this.#entries.get(name)?.trimmed ?? 0;
  }

  handleBlock(member: bigint, block: BlockMessage, now: number): void {
    this.#map.handleBlock(member, block, now);
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.#members = members;
    this.#map.setMembers(members, now);
    this.choose();
  }

  /**
   * From now on one of the nodes that have this bridge runs it. Where it is known already, it goes on as
   * it is: `run` says whether this node does.
   */
  add(bridge: PlacedBridge): void {
    const known = this.#entries.get(bridge.name);
    if (known !== undefined) {
      if (known.isHere) bridge.run(true);
      return;
    }
    const since = this.#now;
    const ages = new QueueAges();
    const trimFromId = bridge.lastId;
    ages.note(since, trimFromId);
    const rest = { previousSince: undefined, elsewhere: 0, written: -1, trimmed: 0 };
    this.#entries.set(bridge.name, { bridge, ages, since, isHere: undefined, trimFromId, ...rest });
    if (this.#timer === undefined) {
      const isAlone = this.#members.length === 0;
      this.#writesAt = performance.now() + (isAlone ? 0 : SETTLE_MS);
      this.#choosesAt = this.#writesAt + (isAlone ? 0 : WRITTEN_MS);
      this.#timer = setInterval(() => this.#tick(), TICK_MS);
      this.#timer.unref();
    }
    this.#tick();
  }

  /** This node has the bridge no more, or runs it whatever the others do. */
  remove(name: string): void {
    if (!this.#entries.delete(name)) return;
    this.#map.write(this.#keyOf(name), undefined, performance.now());
    this.#map.flush();
  }

  /** The online nodes that come before this one; none where this node does not have the bridge. */
  nodesBefore(name: string): string[] {
    const places = this.#placesOf(name);
    const own = places.findIndex(({ bootId }) => bootId === this.#options.bootId);
    return places.slice(0, Math.max(0, own)).map(({ nodeName }) => nodeName);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get #now(): number {
    return this.#options.clock.at(performance.now());
  }

  #keyOf(bridge: string): string {
    return `${bridge}\n${this.#options.nodeName}`;
  }

  #tick(): void {
    for (const entry of this.#entries.values()) {
      const { bridge, ages } = entry;
      ages.note(this.#now, bridge.lastId);
      if (performance.now() >= this.#writesAt) this.#write(entry);
      if (!entry.isHere) this.#trim(entry);
    }
    this.#map.flush();
    this.choose();
  }

  #write(entry: Entry): void {
    const { bridge, ages, since } = entry;
    const { oldestId } = bridge;
    const acknowledged = oldestId === 0 ? this.#now : ages.timeBefore(oldestId);
    // A node that leaves the bridge to others has acknowledged nothing, and has nothing new to say.
    const isNews = entry.isHere ? acknowledged > entry.written : entry.written === -1;
    if (!isNews) return;
    if (entry.written === -1) {
      // Other nodes still have the register of the run before.
      const before = this.#map.get(this.#keyOf(bridge.name));
      entry.previousSince = before && readPlace(before, this.#options.nodeName)?.since;
    }
    entry.written = acknowledged;
    const place = {
      boot: `${this.#options.bootId}`,
      since,
      acknowledged: entry.isHere ? acknowledged : 0,
    };
    this.#map.write(
      this.#keyOf(bridge.name),
      Buffer.from(JSON.stringify(place)),
      performance.now(),
    );
  }

  /** Drops what the node that runs the bridge has collected too, and the far side has acknowledged. */
  #trim(entry: Entry): void {
    const [place] = this.#placesOf(entry.bridge.name);
    if (place === undefined || place.bootId === this.#options.bootId) return;
    const { previousSince = 0, ages, since } = entry;
    // It has collected all that this node has of its run before, and sent it.
    const hasAll =
      place.since + MARGIN_MS < previousSince && place.acknowledged > since + MARGIN_MS;
    if (hasAll) entry.trimFromId = 0;
    const from = Math.max(entry.trimFromId, ages.lastIdAt(place.since + MARGIN_MS));
    const upTo = ages.lastIdAt(place.acknowledged - MARGIN_MS);
    if (upTo > from) entry.trimmed += entry.bridge.dropSent(from, upTo);
  }

  /** To be called where the answer of a bridge's takesFrom() has changed. */
  choose(): void {
    if (performance.now() < this.#choosesAt) return;
    for (const entry of this.#entries.values()) {
      const { bridge } = entry;
      const places = this.#placesOf(bridge.name);
      const place = places.find(({ nodeName }) => bridge.takesFrom?.(nodeName) !== true);
      const isHere = place?.bootId === this.#options.bootId;
      const others = places.filter((one) => one !== place);
      const elsewhere = Math.max(0, ...others.map(({ acknowledged }) => acknowledged));
      const isNews = elsewhere > entry.elsewhere;
      entry.elsewhere = elsewhere;
      const wasHere = entry.isHere;
      if (isHere === wasHere) {
        if (isHere && isNews && place === places[0]) bridge.ranElsewhere?.();
        continue;
      }
      entry.isHere = isHere;
      if (wasHere && !isHere) entry.trimFromId = bridge.lastId;
      bridge.run(isHere);
    }
  }

  /** The nodes that could run the bridge, the one that does first. */
  #placesOf(name: string): Place[] {
    const places: Place[] = [];
    for (const [key, value] of this.#map.entries()) {
      if (!key.startsWith(`${name}\n`)) continue;
      const place = readPlace(value, key.slice(name.length + 1));
      const { bootId } = this.#options;
      const isOnline = place?.bootId === bootId || this.#members.includes(place?.bootId ?? 0n);
      if (place !== undefined && isOnline) places.push(place);
    }
    return places.sort((a, b) => a.since - b.since || (a.bootId < b.bootId ? -1 : 1));
  }
}

/** @returns undefined for what is no place: a node of another version may write what it likes */
function readPlace(value: Buffer, nodeName: string): Place | undefined {
  try {
    const { boot, since, acknowledged } = JSON.parse(value.toString('utf8')) as Record<
      string,
      unknown
    >;
    if (typeof since !== 'number' || typeof acknowledged !== 'number') return undefined;
    return { nodeName, bootId: BigInt(String(boot)), since, acknowledged };
  } catch {
    return undefined;
  }
}
