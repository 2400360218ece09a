// Keeps the retained values of all nodes alike: gives each retained message of a client a version before
// it crosses, lets a peer's pass only if it is news, and sends values to peers that lack them.
// It is between the broker and the sync channel, in both directions. The versions are in src/replica,
// the values in the broker.
// Invariant: of two values of a topic, subscribers and the retained store get the newer one last.

import type { Broker } from '../../broker/broker.ts';
import type { ForwardResult, PeerForwarder } from '../../broker/ports.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import type { PublishView } from '../../mqtt/publish-view.ts';
import type { ClusterClock } from '../../replica/cluster-clock.ts';
import { encodeDigest, encodeRequest, MapId } from '../../replica/codec.ts';
import type { Register } from '../../replica/register.ts';
import type { DigestEntry } from '../../replica/register-map.ts';
import type {
  RegisterStore,
  RegisterWriter,
  StoredRegisters,
} from '../../replica/register-store.ts';
import type { Block, RepairPort, Request } from '../../replica/repair-port.ts';
import { Replica } from '../../replica/replica.ts';
import type { ReplicatedMap } from '../../replica/replication.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Stamp } from '../../shared/stamp.ts';
import { ForwardFilter } from '../../sync/forward-filter.ts';
import type { PeerPublishHandler, Sender } from '../../sync/packet-reader.ts';
import { type RepairHandler, repairBytes } from '../../sync/repair.ts';
import type { RepairHead, RepairPacket } from '../../sync/repair-codec.ts';
import { RepairPacer } from './repair-pacer.ts';

/** The channel that values travel on. */
export interface RetainedChannel {
  forward(
    view: PublishView,
    topic: Buffer,
    clientId: string | undefined,
    stamp?: Stamp,
  ): ForwardResult;
  readonly lastNumber: number;
  /** Of the largest packet that crosses. */
  readonly publishBytesMax: number;
  sendRepair(to: bigint, head: RepairHead, packets: readonly RepairPacket[]): void;
  /** Room for packets in a repair block that needs one datagram, bytes. */
  readonly repairRoom: number;
  /** True while a repair block may be sent. */
  readonly isIdle: boolean;
}

export interface RetainedWatcher {
  /** The value is about to replace the one that the broker retains. */
  replacing(topic: string, stamp: Stamp): void;
  replaced(topic: string, now: number): void;
}

/**
 * Of -memory-limit, for which versions do not count: those of cleared topics, and all of them. A node that has no
 * room for a value still has its version, because others may retain the value.
 */
const CLEARED_SHARE = 0.25;
const VERSIONS_SHARE = 0.35;

export interface RetainedReplicationOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  /** Topic Filters of what is forwarded: other topics are not replicated. */
  readonly topics: readonly string[];
  /** Topics with a version, cleared ones included. */
  readonly registersMax: number;
  /** -memory-limit, of which the versions have a share. Default: no bound. */
  readonly memoryBytesMax?: number;
  /** How long a cleared topic keeps its version, ms. */
  readonly tombstoneMs: number;
  readonly clock: ClusterClock;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  readonly broker: Broker;
  /** Keeps versions over a restart; undefined without -data. */
  readonly store: RegisterStore | undefined;
  /** Sends a message to a member by gossip. */
  send(member: bigint, message: Buffer): void;
  /** Bytes of such a message at most. */
  readonly messageBytesMax: number;
  /** Hears of values of other nodes before and after the broker gets them. */
  readonly watcher?: RetainedWatcher | undefined;
}

export interface RetainedCounters {
  /** Messages of peers that were older than what is known here. */
  outdated: number;
  /** Values, and removals, that were lost on their way and repaired. */
  repaired: number;
  /** Versions that found no room. */
  refused: number;
}

export class RetainedReplication
  implements PeerForwarder, PeerPublishHandler, RepairHandler, RepairPort, ReplicatedMap
{
  readonly replica: Replica;
  readonly counters: RetainedCounters = { outdated: 0, repaired: 0, refused: 0 };
  readonly #options: RetainedReplicationOptions;
  readonly #filter: ForwardFilter;
  readonly #limiter = new LogLimiter();
  #sync: RetainedChannel | undefined;
  readonly #pacer = new RepairPacer();
  #digests = 0;
  /** Values of the block that is being made, by topic. */
  readonly #packets = new Map<string, RepairPacket>();

  constructor(options: RetainedReplicationOptions) {
    this.#options = options;
    this.#filter = new ForwardFilter(options.topics);
    const { bootId: writer, registersMax, tombstoneMs, store } = options;
    const { memoryBytesMax = Number.POSITIVE_INFINITY } = options;
    const forgotten = (topic: string): void => store?.removeRegister(topic);
    const clearedBytesMax = CLEARED_SHARE * memoryBytesMax;
    const bytesMax = VERSIONS_SHARE * memoryBytesMax;
    const bounds = { registersMax, bytesMax, clearedBytesMax, tombstoneMs };
    const replicaOptions = { writer, ...bounds, forgotten };
    this.replica = new Replica(replicaOptions, options.clock, this, options.now());
    options.broker.onRetainedExpired = (topic) => this.#expired(topic);
  }

  /** Call it before the first message. */
  use(sync: RetainedChannel): void {
    this.#sync = sync;
  }

  /** Restores the versions of the values that the broker has restored. */
  restore({ registers, known }: StoredRegisters): void {
    const now = this.#options.now();
    let isWhole = true;
    for (const { key, hasValue, ...stamp } of registers) {
      if (hasValue && this.#options.broker.retainedMessage(key) === undefined) isWhole = false;
      else this.replica.apply(key, stamp, hasValue, now);
    }
    // Without a value that was known the logs have to be compared from their beginning.
    if (isWhole) for (const range of known) this.replica.map.cover(range.writer, range);
  }

  /** Writes all versions, for a snapshot. */
  *export(writer: RegisterWriter): Generator<void, void> {
    for (const { key, hasValue, time, sequence, writer: bootId } of this.replica.map.registers()) {
      writer.saveRegister({ key, hasValue, time, sequence, writer: bootId });
      yield;
    }
    for (const { writer: bootId, known } of this.replica.map.digest()) {
      for (const range of known) writer.saveKnown({ writer: bootId, ...range });
      yield;
    }
  }

  /** A message of this node, on its way to the other nodes. */
  forward(view: PublishView, topic: Buffer, clientId: string | undefined): ForwardResult {
    const sync = this.#openedSync;
    if (!view.retain) return sync.forward(view, topic, clientId);
    return sync.forward(view, topic, clientId, this.#write(view, topic));
  }

  #write(view: PublishView, topic: Buffer): Stamp | undefined {
    if (!this.#filter.allows(topic)) return undefined;
    const hasValue = view.end > view.payloadStart;
    const register = this.replica.write(topic.toString('utf8'), hasValue, this.#options.now());
    if (register === undefined) this.#refused();
    else this.#record(register);
    return register;
  }

  /** Number of the last message that was 'forwarded'. */
  get lastNumber(): number {
    return this.#openedSync.lastNumber;
  }

  /** A message of a peer; one with a version only passes if it is news. */
  publishFromPeer(
    view: PublishView,
    now: number,
    sender: Sender,
    number: number | undefined,
    stamp?: Stamp,
  ): void {
    const { broker, watcher } = this.#options;
    if (stamp === undefined) {
      broker.publishFromPeer(view, now, sender, number);
      return;
    }
    if (!this.#accept(view, stamp, now)) {
      this.counters.outdated += 1;
      return;
    }
    broker.publishFromPeer(view, now, sender, number);
    watcher?.replaced(topicOf(view), now);
  }

  repairFromPeer(view: PublishView, stamp: Stamp, now: number): void {
    const { broker, watcher } = this.#options;
    const topic = topicOf(view);
    const hadValue = broker.retainedMessage(topic) !== undefined;
    if (!this.#accept(view, stamp, now)) return;
    this.counters.repaired += 1;
    this.#pacer.repaired(now);
    // Subscribers need not hear that a value is gone which they never had.
    if (!hadValue && view.end === view.payloadStart) return;
    broker.repairFromPeer(view, now);
    watcher?.replaced(topic, now);
  }

  blockFromPeer(member: bigint, head: RepairHead, now: number): void {
    this.replica.blockApplied(member, { ...head, range: head }, now);
  }

  /** True if the value is newer than what is known here. */
  #accept(view: PublishView, stamp: Stamp, now: number): boolean {
    const topic = topicOf(view);
    const result = this.replica.apply(topic, stamp, view.end > view.payloadStart, now);
    if (result === 'full') this.#refused();
    if (result === 'newer' || result === 'rewritten') this.#record(this.replica.map.get(topic));
    if (result !== 'newer') return result === 'full';
    this.#options.watcher?.replacing(topic, stamp);
    return true;
  }

  #refused(): void {
    const { broker, now } = this.#options;
    const { size, tombstones } = this.replica.map;
    this.counters.refused += 1;
    const count = this.#limiter.admit('version', now());
    if (count === 0) return;
    broker.log.warn('retained topic without a version: nodes may keep different values', {
      topics: size,
      cleared: tombstones,
      count,
    });
  }

  /** The value is gone on every node at the same time, so that late joiners do not make them differ. */
  #expired(topic: string): void {
    const register = this.replica.map.get(topic);
    if (register === undefined) return;
    this.replica.map.dropValue(register);
    this.#record(register);
  }

  #record(register: Register | undefined): void {
    const { store } = this.#options;
    if (register === undefined || store === undefined) return;
    const { key, hasValue, time, sequence, writer } = register;
    store.saveRegister({ key, hasValue, time, sequence, writer });
  }

  metrics(): Omit<ValuesOf<'retained'>, 'malformed'> {
    const { map, differing, counters } = this.replica;
    const now = this.#options.now();
    const agreedAt = Math.min(now, ...differing.map((member) => member.agreedAt));
    return {
      ...this.counters,
      versions: map.size,
      cleared: map.tombstones,
      differing: differing.length,
      agreedSeconds: Math.round((now - agreedAt) / 1000),
      requests: counters.requestsSent,
      requestsTimedOut: counters.requestsTimedOut,
    };
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.replica.setMembers(members, now);
  }

  sendDigest(to: bigint, entries: readonly DigestEntry[]): void {
    this.#digests = (this.#digests + 1) % 65_536;
    const { send, messageBytesMax } = this.#options;
    const pages = encodeDigest(MapId.retained, this.#digests, entries, messageBytesMax);
    for (const page of pages) send(to, page);
  }

  sendRequest(to: bigint, request: Request): void {
    this.#options.send(to, encodeRequest(MapId.retained, request));
  }

  sendBlock(to: bigint, { requestId, isLast, range, registers }: Block<Register>): void {
    const packets = registers.map((register) => this.#packetOf(register));
    this.#packets.clear();
    this.#openedSync.sendRepair(to, { requestId, isLast, ...range }, packets);
  }

  measure(register: Register): number {
    const packet = this.#packetOf(register);
    this.#packets.set(register.key, packet);
    return repairBytes(packet).withStamp;
  }

  get blockBytes(): number {
    return this.#openedSync.repairRoom;
  }

  mayAsk(now: number): boolean {
    return this.#pacer.mayAsk(this.#options.broker.queuedMessages, now);
  }

  isReady(): boolean {
    return this.#openedSync.isIdle;
  }

  /**
   * The value as it crosses; its removal where it has expired or does not cross. Subscribers of the other node
   * get the removal only if a client has cleared the topic.
   */
  #packetOf(register: Register): RepairPacket {
    const { broker } = this.#options;
    const { key } = register;
    const made = this.#packets.get(key);
    if (made?.stamp === register) return made;
    const topic = Buffer.from(key, 'utf8');
    const now = this.#options.now();
    const value = register.hasValue ? broker.encodeRetained(key, now) : undefined;
    if (value !== undefined) {
      const packet = { view: value, topic, stamp: register };
      if (repairBytes(packet).packet <= this.#openedSync.publishBytesMax) return packet;
    }
    const isCleared = !register.hasValue && broker.retainedMessage(key) === undefined;
    this.replica.map.dropValue(register);
    const view = broker.encodeCleared(key, now, isCleared ? undefined : now);
    return { view, topic, stamp: register };
  }

  get #openedSync(): RetainedChannel {
    if (this.#sync === undefined) throw new Error('the sync channel is not open yet');
    return this.#sync;
  }
}

function topicOf(view: PublishView): string {
  return view.buffer.toString('utf8', view.topicStart, view.topicEnd);
}
