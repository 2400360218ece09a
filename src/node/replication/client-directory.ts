// Where each client is connected, on all nodes alike. A client that connects here is disconnected
// elsewhere, and its will is not published there: the device is alive. If a node dies, exactly one of the
// others publishes the wills of the clients that it had and that have not connected elsewhere.
// Invariant: this node clears a client's register only while the register is its own, or its node is dead.

import type { Broker } from '../../broker/broker.ts';
import type { ClientDirectory } from '../../broker/ports.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import type { WillPacket } from '../../mqtt/control-decoder.ts';
import { decodeClient, encodeClient, NO_WILL } from '../../replica/client-value.ts';
import type { ClusterClock } from '../../replica/cluster-clock.ts';
import { type BlockMessage, MapId } from '../../replica/codec.ts';
import { GossipMap } from '../../replica/gossip-map.ts';
import type { Register } from '../../replica/register.ts';
import { chooseNode } from '../../replica/rendezvous.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicatedMap } from '../../replica/replication.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Stamp } from '../../shared/stamp.ts';
import { MistakenWills } from './mistaken-wills.ts';

/** Clients of all nodes, and those that have left a while ago. */
const CLIENTS_MAX = 200_000;
/** Of -memory-limit, which their memory does not count for. */
const CLIENTS_SHARE = 0.15;
/** A client that has left keeps its register for this time, ms. */
const TOMBSTONE_MS = 600_000;
/** Clients of a node that died have this time to connect to another one before their wills, ms. */
const WILL_GRACE_MS = 5000;
const TICK_MS = 1000;
/** Wills published in one tick; a node with very many clients may die. */
const TICK_WILLS_MAX = 1000;

export interface ClientDirectoryOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  readonly clock: ClusterClock;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  readonly broker: Broker;
  send(member: bigint, message: Buffer): void;
  readonly messageBytesMax: number;
  /** -memory-limit. Default: no bound. */
  readonly memoryBytesMax?: number;
  /** Name of the node, for the log. */
  nameOf(bootId: bigint): string;
}

export interface ClientDirectoryCounters {
  /** Clients disconnected here because they connected to another node. */
  takenOver: number;
  /** Wills published for nodes that died. */
  willsPublished: number;
  /** Wills too large for a register: they are lost if their node dies. */
  willsTooLarge: number;
  /** Retained values published again, because another node had published the will of a client that is here. */
  mended: number;
  /** Clients that found no room in the directory, or whose identifier is too long. */
  refused: number;
}

export class ClusterClients implements ClientDirectory, ReplicatedMap {
  readonly counters: ClientDirectoryCounters = {
    takenOver: 0,
    willsPublished: 0,
    willsTooLarge: 0,
    mended: 0,
    refused: 0,
  };
  readonly #options: ClientDirectoryOptions;
  readonly #map: GossipMap;
  /** Wills that other nodes published for clients that are connected here. */
  readonly mistaken: MistakenWills;
  #members: readonly bigint[] = [];
  /** Since when each of them is online, ms. */
  #onlineSince = new Map<bigint, number>();
  /** Writers in the directory that are not online, with the time since when, ms. */
  #absentSince = new Map<bigint, number>();
  readonly #timer: NodeJS.Timeout;
  readonly #limiter = new LogLimiter();
  #isFlushDue = false;

  constructor(options: ClientDirectoryOptions) {
    this.#options = options;
    const mended = (clientId: string): void => {
      this.counters.mended += 1;
      this.#warn('another node published the will of a client that is connected here', clientId);
    };
    this.mistaken = new MistakenWills(options.broker, mended, (member, time) => {
      const since = this.#onlineSince.get(member);
      // By what the clock shows now: it may have been slow when the member came online.
      return since !== undefined && options.clock.at(since) <= time;
    });
    const { bootId: writer, messageBytesMax, send } = options;
    const { memoryBytesMax = Number.POSITIVE_INFINITY } = options;
    this.#map = new GossipMap(
      {
        id: MapId.clients,
        writer,
        messageBytesMax,
        registersMax: CLIENTS_MAX,
        bytesMax: CLIENTS_SHARE * memoryBytesMax,
        tombstoneMs: TOMBSTONE_MS,
      },
      options.clock,
      { send, changed: (clientId, value, stamp) => this.#changed(clientId, value, stamp) },
      options.now(),
    );
    this.#timer = setInterval(() => this.tick(options.now()), TICK_MS);
    this.#timer.unref();
  }

  get replica(): Replica {
    return this.#map.replica;
  }

  connected(clientId: string, will: WillPacket | undefined): void {
    const { clock, now } = this.#options;
    this.mistaken.connected(clientId, will, clock.at(now()));
    const value = encodeClient(will);
    if (value !== undefined && this.#write(clientId, value)) return;
    if (will !== undefined && this.#write(clientId, NO_WILL)) {
      this.counters.willsTooLarge += 1;
      this.#warn('will too large for other nodes to know: lost if this node dies', clientId);
    } else {
      this.counters.refused += 1;
      this.#warn(
        'client not known to other nodes: no room, or its identifier is too long',
        clientId,
      );
    }
  }

  #warn(event: string, client: string): void {
    const total = this.#limiter.admit(event, this.#options.now());
    if (total > 0) this.#options.broker.log.warn(event, { client, total });
  }

  /** The node that wrote last where the client is. */
  writerOf(clientId: string): bigint | undefined {
    return this.replica.map.get(clientId)?.writer;
  }

  /** The session of a client that is not connected is here from now on. */
  claim(clientId: string): void {
    this.#write(clientId, undefined);
  }

  disconnected(clientId: string): void {
    this.mistaken.disconnected(clientId);
    if (this.#isOwn(clientId)) this.#write(clientId, undefined);
  }

  #isOwn(clientId: string): boolean {
    const register = this.replica.map.get(clientId);
    return register?.hasValue === true && register.writer === this.#options.bootId;
  }

  #write(clientId: string, value: Buffer | undefined): boolean {
    if (!this.#map.write(clientId, value, this.#options.now())) return false;
    if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      setImmediate(() => this.flush());
    }
    return true;
  }

  /** Sends what was written. Called at the end of a turn. */
  flush(): void {
    this.#isFlushDue = false;
    this.#map.flush();
  }

  /** Another node wrote last: the client has connected there, or that node believes that it has left. */
  #changed(clientId: string, value: Buffer | undefined, stamp: Stamp): void {
    const { broker, nameOf } = this.#options;
    const now = this.#options.now();
    if (value !== undefined) {
      const node = nameOf(stamp.writer);
      if (broker.connectedElsewhere(clientId, node, now)) this.counters.takenOver += 1;
    } else if (broker.isConnected(clientId)) {
      // The others took this node for dead, and the client is still connected here.
      this.connected(clientId, broker.publishableWill(clientId));
      const announcedAt = this.replica.map.get(clientId)?.time ?? stamp.time;
      this.mistaken.cleared(clientId, announcedAt, now);
    } else {
      broker.willPublishedElsewhere(clientId, now);
    }
  }

  handleBlock(member: bigint, block: BlockMessage, now: number): void {
    this.#map.handleBlock(member, block, now);
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.#members = members;
    this.#onlineSince = new Map(members.map((one) => [one, this.#onlineSince.get(one) ?? now]));
    this.#map.setMembers(members, now);
    for (const member of members) this.#absentSince.delete(member);
  }

  metrics(): ValuesOf<'clients'> {
    const { map, differing } = this.replica;
    return { ...this.counters, known: map.size - map.tombstones, differing: differing.length };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Publishes the wills of nodes that have been offline for long enough. Its timer calls it every TICK_MS. */
  tick(now: number): void {
    const { bootId } = this.#options;
    const online = new Set(this.#members).add(bootId);
    let left = TICK_WILLS_MAX;
    const absentSince = new Map<bigint, number>();
    for (const { writer } of this.replica.map.digest()) {
      if (!online.has(writer)) absentSince.set(writer, this.#absentSince.get(writer) ?? now);
    }
    this.#absentSince = absentSince;
    for (const [writer, since] of absentSince) {
      for (const register of [...(this.replica.map.log(writer)?.from(1) ?? [])]) {
        if (left <= 0) return;
        if (register.hasValue && this.#settle(register, now - since)) left -= 1;
      }
    }
  }

  /** @returns true if this node has published the will, or dropped a client without one */
  #settle(register: Register, absentMs: number): boolean {
    const { bootId, broker } = this.#options;
    const { key } = register;
    const value = this.#map.get(key);
    const will = value && decodeClient(value);
    if (absentMs < Math.max(WILL_GRACE_MS, (will?.delaySeconds ?? 0) * 1000)) return false;
    if (chooseNode(key, [...this.#members, bootId]) !== bootId) return false;
    this.#write(key, undefined);
    if (will === undefined) return true;
    this.counters.willsPublished += 1;
    broker.publishWillOfOtherNode(key, will, this.#options.now());
    return true;
  }
}
