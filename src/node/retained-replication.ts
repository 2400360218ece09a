// Keeps the retained values of all nodes alike: gives each retained message of a client a version before
// it crosses, lets a peer's pass only if it is news, and sends values to peers that lack them.
// It is between the broker and the sync channel, in both directions. The versions are in src/replica,
// the values in the broker.
// Invariant: of two values of a topic, subscribers and the retained store get the newer one last.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../broker/broker.ts';
import type { ForwardResult, PeerForwarder } from '../broker/ports.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import type { PublishView } from '../mqtt/publish-view.ts';
import type { SyncChannel } from '../net/cluster/sync-channel.ts';
import type { ClusterClock } from '../replica/cluster-clock.ts';
import { encodeDigest, encodeRequest, MapId } from '../replica/codec.ts';
import type { Register } from '../replica/register.ts';
import type { DigestEntry } from '../replica/register-map.ts';
import type { RegisterStore, RegisterWriter, StoredRegisters } from '../replica/register-store.ts';
import type { Block, RepairPort, Request } from '../replica/repair-port.ts';
import { Replica } from '../replica/replica.ts';
import type { ReplicatedMap } from '../replica/replication.ts';
import type { Stamp } from '../shared/stamp.ts';
import { ForwardFilter } from '../sync/forward-filter.ts';
import type { PeerPublishHandler, Sender } from '../sync/packet-reader.ts';
import { type RepairHandler, repairBytes } from '../sync/repair.ts';
import type { RepairHead, RepairPacket } from '../sync/repair-codec.ts';
import { RepairPacer } from './repair-pacer.ts';

export interface RetainedReplicationOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  /** Topic Filters of what is forwarded: other topics are not replicated. */
  readonly topics: readonly string[];
  /** Topics with a version, cleared ones included. */
  readonly registersMax: number;
  /** How long a cleared topic keeps its version, ms. */
  readonly tombstoneMs: number;
  readonly clock: ClusterClock;
  readonly broker: Broker;
  /** Keeps versions over a restart; undefined without -data. */
  readonly store: RegisterStore | undefined;
  /** Sends a message to a member by gossip. */
  send(member: bigint, message: Buffer): void;
  /** Bytes of such a message at most. */
  readonly messageBytesMax: number;
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
  #sync: SyncChannel | undefined;
  readonly #pacer = new RepairPacer();
  #digests = 0;
  /** Values of the block that is being made, by topic. */
  readonly #packets = new Map<string, RepairPacket>();

  constructor(options: RetainedReplicationOptions) {
    this.#options = options;
    this.#filter = new ForwardFilter(options.topics);
    const { bootId: writer, registersMax, tombstoneMs, store } = options;
    const forgotten = (topic: string): void => store?.removeRegister(topic);
    const replicaOptions = { writer, registersMax, tombstoneMs, forgotten };
    this.replica = new Replica(replicaOptions, options.clock, this, performance.now());
  }

  /** The channel that values travel on. Call it before the first message. */
  use(sync: SyncChannel): void {
    this.#sync = sync;
  }

  /** Restores the versions of the values that the broker has restored. */
  restore({ registers, known }: StoredRegisters): void {
    const now = performance.now();
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
    const stamp = view.retain ? this.#write(view, topic) : undefined;
    return this.#openedSync.forward(view, topic, clientId, stamp);
  }

  #write(view: PublishView, topic: Buffer): Stamp | undefined {
    if (!this.#filter.allows(topic)) return undefined;
    const hasValue = view.end > view.payloadStart;
    const register = this.replica.write(topic.toString('utf8'), hasValue, performance.now());
    if (register === undefined) this.counters.refused += 1;
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
    number: number,
    stamp?: Stamp,
  ): void {
    if (stamp !== undefined && !this.#accept(view, stamp, now)) this.counters.outdated += 1;
    else this.#options.broker.publishFromPeer(view, now, sender, number);
  }

  repairFromPeer(view: PublishView, stamp: Stamp, now: number): void {
    const { broker } = this.#options;
    const hadValue = broker.retainedMessage(topicOf(view)) !== undefined;
    if (!this.#accept(view, stamp, now)) return;
    this.counters.repaired += 1;
    this.#pacer.repaired(now);
    // Subscribers need not hear that a value is gone which they never had.
    if (hadValue || view.end > view.payloadStart) broker.repairFromPeer(view, now);
  }

  blockFromPeer(member: bigint, head: RepairHead, now: number): void {
    this.replica.blockApplied(member, { ...head, range: head }, now);
  }

  /** True if the value is newer than what is known here. */
  #accept(view: PublishView, stamp: Stamp, now: number): boolean {
    const topic = topicOf(view);
    const result = this.replica.apply(topic, stamp, view.end > view.payloadStart, now);
    if (result === 'full') this.counters.refused += 1;
    if (result !== 'newer') return result === 'full';
    this.#record(this.replica.map.get(topic));
    return true;
  }

  #record(register: Register | undefined): void {
    const { store } = this.#options;
    if (register === undefined || store === undefined) return;
    const { key, hasValue, time, sequence, writer } = register;
    store.saveRegister({ key, hasValue, time, sequence, writer });
  }

  metrics(): Omit<ValuesOf<'retained'>, 'malformed'> {
    const { map, differing, agreedAt, counters } = this.replica;
    return {
      ...this.counters,
      versions: map.size,
      cleared: map.tombstones,
      differing,
      agreedSeconds: Math.round((performance.now() - agreedAt) / 1000),
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
    return repairBytes(packet);
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

  /** The value as it crosses; its removal where it has expired or does not cross. */
  #packetOf(register: Register): RepairPacket {
    const { broker } = this.#options;
    const { key } = register;
    const made = this.#packets.get(key);
    if (made?.stamp === register) return made;
    const topic = Buffer.from(key, 'utf8');
    const now = performance.now();
    const value = register.hasValue ? broker.encodeRetained(key, now) : undefined;
    if (value === undefined) this.replica.map.dropValue(register);
    return { view: value ?? broker.encodeCleared(key, now), topic, stamp: register };
  }

  get #openedSync(): SyncChannel {
    if (this.#sync === undefined) throw new Error('the sync channel is not open yet');
    return this.#sync;
  }
}

function topicOf(view: PublishView): string {
  return view.buffer.toString('utf8', view.topicStart, view.topicEnd);
}
