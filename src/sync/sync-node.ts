// The sync channel of one node without its socket: packs local PUBLISH packets into datagrams for all
// online peers, and hands the packets of online peers to the broker. Time, randomness and the network
// come from outside. The protocol is in docs/protocol.md.
// Every peer gets the same data bytes, or, with an Interest, a stream of its own (peer-outputs.ts).
// Invariants: a packet from a peer is never forwarded; a datagram
// that is not authentic, or whose sender is not an online peer, changes only a counter.

import type { PublishView } from '../mqtt/publish-view.ts';
import {
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  type Opened,
  Opener,
  Sealer,
} from '../shared/envelope.ts';
import type { ChannelKeys } from '../shared/key-ring.ts';
import type { Peer } from '../shared/peer.ts';
import type { Stamp } from '../shared/stamp.ts';
import { AckExchange } from './ack-exchange.ts';
import {
  asksForAck,
  bodyKind,
  type StreamPosition,
  sequenceOf,
  writeSequence,
} from './body-codec.ts';
import { ChannelLog } from './channel-log.ts';
import { type ChannelCounters, newChannelCounters } from './counters.ts';
import { ForwardFilter } from './forward-filter.ts';
import { encodeHeartbeat, type Heartbeat, readHeartbeat } from './heartbeat-codec.ts';
import { HeldDatagrams } from './held-datagrams.ts';
import { HelloExchange } from './hello-exchange.ts';
import { JoinWait } from './join-wait.ts';
import { DATAGRAM_BYTES_DEFAULT, JOIN_WAIT_MS, PUBLISH_BYTES_MAX, STALL_MS } from './limits.ts';
import { LinkLog } from './link-log.ts';
import { LinkTable } from './link-table.ts';
import { Multicast } from './multicast.ts';
import { Pacer } from './pacer.ts';
import { type OutgoingDatagram, Packer } from './packer.ts';
import type { PeerLink } from './peer-link.ts';
import { PeerOutputs } from './peer-outputs.ts';
import type { PeerStatus } from './peer-status.ts';
import { PublishWriter } from './publish-writer.ts';
import { encodeRepair, handleRepair, repairBytes, repairEnd, repairRoom } from './repair.ts';
import type { RepairHead, RepairPacket } from './repair-codec.ts';
import type { ForwardResult, SyncNodeOptions } from './sync-options.ts';

const BOOT_ID_OFFSET = 8;
/** A datagram with another -encrypt is verified this often, for a line that no stranger can cause. */
const MODE_CHECK_MS = 1000;

export class SyncNode {
  readonly counters: ChannelCounters = newChannelCounters();
  readonly #options: SyncNodeOptions;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #filter: ForwardFilter;
  readonly #writer = new PublishWriter();
  /** The stream that all peers share. */
  readonly #packer: Packer;
  /** The streams of the single peers; undefined if all share one. */
  readonly #outputs: PeerOutputs | undefined;
  readonly #acks: AckExchange;
  /** Undefined: all peers get unicast. */
  readonly #multicast: Multicast | undefined;
  readonly #pacer = new Pacer();
  readonly #joinWait: JoinWait;
  readonly #log: ChannelLog;
  readonly #linkLog: LinkLog;
  readonly #hellos: HelloExchange;
  readonly #held = new HeldDatagrams();
  readonly #links: LinkTable;
  /** The links of the peers that are online. */
  #targets: readonly PeerLink[] = [];
  #sequence = 0;
  /** Time of the last flush, ms. */
  #clock: number;
  #deadline: number;
  #advancedAt: number;
  #expectsPeers: boolean;
  /** When a datagram with another -encrypt is verified next. */
  #modeCheckAt = Number.NEGATIVE_INFINITY;

  constructor(options: SyncNodeOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options.keys, options.bootId, options.encrypt);
    this.#opener = new Opener(options.keys, options.encrypt);
    this.#filter = new ForwardFilter(options.topics);
    this.#joinWait = new JoinWait(options.joinWaitMs ?? JOIN_WAIT_MS, options.now);
    this.#log = new ChannelLog(options.log, this.counters);
    this.#linkLog = new LinkLog(options);
    this.#acks = new AckExchange({ ...options, sealer: this.#sealer });
    this.#hellos = new HelloExchange({
      sealer: this.#sealer,
      outbox: options.outbox,
      held: this.#held,
      randomNonce: () => options.randomNonce(),
      nextPosition: (link) => this.#positionOf(link),
    });
    this.#links = this.#newLinkTable();
    this.#deadline = this.#joinWait.deadline;
    this.#advancedAt = options.now;
    this.#clock = options.now;
    this.#expectsPeers = options.expectsPeers;
    this.#packer = new Packer(options, {
      send: (datagram) => this.#sendToAll(datagram),
      isReady: () =>
        this.#joinWait.maySend && options.outbox.isReady() && this.#pacer.isOpen(this.#targets),
      discarded: this.#countDiscarded,
    });
    this.#fitDatagrams();
    const { group } = options;
    if (options.interest === undefined) {
      const { counters } = this;
      const shared = { ...options, sealer: this.#sealer, log: this.#linkLog, counters };
      const datagramBytes = () => this.#packer.datagramBytes;
      if (group !== undefined) this.#multicast = new Multicast({ ...shared, group, datagramBytes });
      return;
    }
    this.#outputs = new PeerOutputs(options, options.interest, {
      send: (link, datagram, sequence) => this.#sendOutput(link, datagram, sequence),
      isReady: ({ window }) => window.isOpen && options.outbox.isReady(),
      discarded: this.#countDiscarded,
    });
  }

  /** Signs with the first of these keys from now on, and accepts all of them. */
  rekey(keys: ChannelKeys): void {
    this.#sealer.rekey(keys);
    this.#opener.rekey(keys);
  }

  /** Replaces the list of peers that are online. */
  setPeers(peers: readonly Peer[], now: number): void {
    this.#links.setPeers(peers, now);
    this.#targets = this.#links.online;
    if (this.#targets.length > 0) this.#expectsPeers = true;
    this.#multicast?.setPeers(this.#targets, now);
    this.#fitDatagrams();
    this.#updateJoinWait(now);
    if (this.#joinWait.state === 'open') this.#outputs?.open(this.#packer);
    this.advance(now);
  }

  /**
   * Packs a PUBLISH of a local client, a will or the broker itself for the online peers. The bytes
   * are copied. Call flush() at the end of the turn unless the result is 'filtered'.
   * @param topic the Topic Name's bytes, also if the packet has only an alias
   * @param clientId the publisher, for the log
   * @param stamp version of a replicated retained value
   */
  forward(
    view: PublishView,
    topic: Buffer,
    clientId: string | undefined,
    stamp?: Stamp,
  ): ForwardResult {
    if (!this.#filter.allows(topic)) {
      this.counters.filteredMessages += 1;
      return 'filtered';
    }
    if (!this.#joinWait.takesMessages) {
      if (this.#expectsPeers) this.counters.noPeerMessages += 1;
      return 'noPeers';
    }
    const bytes = this.#writer.measure(view, topic, stamp);
    if (bytes > PUBLISH_BYTES_MAX) return this.#forwardLarge(view, topic, clientId);
    if (this.#outputs !== undefined && this.#joinWait.state === 'open') {
      const peers = this.#outputs.append(this.#writer, view, topic);
      if (peers < 0) return 'discarded';
      if (peers === 0) return 'forwarded';
    } else if (!this.#packer.append(this.#writer, view, topic)) {
      return 'discarded';
    }
    this.counters.forwardedMessages += 1;
    this.counters.forwardedBytes += bytes;
    return 'forwarded';
  }

  /** Forwards the packet that was measured last. */
  #forwardLarge(view: PublishView, topic: Buffer, clientId: string | undefined): ForwardResult {
    const { large } = this.#options;
    const { packetBytes, bytes } = this.#writer;
    if (packetBytes > this.publishBytesMax) {
      this.counters.tooLargeMessages += 1;
      this.#log.tooLarge(topic, clientId, packetBytes);
      return 'tooLarge';
    }
    const packet = Buffer.allocUnsafeSlow(bytes);
    this.#writer.write(view, topic, packet, 0);
    if (large?.forward(packet, topic, view.retain) === 0) {
      if (this.#expectsPeers) this.counters.noPeerMessages += 1;
      return 'noPeers';
    }
    this.counters.forwardedMessages += 1;
    this.counters.forwardedBytes += packetBytes;
    return 'large';
  }

  /** Of the largest packet that crosses to other nodes. */
  get publishBytesMax(): number {
    return Math.max(PUBLISH_BYTES_MAX, this.#options.large?.publishBytesMax ?? 0);
  }

  /** Number of the last message that was 'forwarded', in the stream of this node. */
  get lastNumber(): number {
    return this.#packer.lastNumber;
  }

  /** Room for packets in a repair block that needs one datagram, bytes. */
  get repairRoom(): number {
    return repairRoom(this.#packer.datagramBytes);
  }

  /** True while a repair block may be sent: live messages go first. */
  get isIdle(): boolean {
    return this.#queued === 0 && this.#options.outbox.isReady();
  }

  /** Sends retained values to one peer, without any guarantee. @param to boot id */
  sendRepair(to: bigint, head: RepairHead, packets: readonly RepairPacket[]): void {
    if (packets.some((packet) => repairBytes(packet).packet > PUBLISH_BYTES_MAX)) {
      this.#options.large?.sendRepair(to, head, packets);
      return;
    }
    const link = this.#links.get(to);
    if (link?.isAnswering !== true) return;
    for (const datagram of encodeRepair(head, packets, this.#packer.datagramBytes)) {
      this.#sendTo(link, this.#sealer.seal(datagram, repairEnd(datagram)), 0);
    }
  }

  /** Sends what was packed. Call it at the end of a turn and when the outbox is ready again. */
  flush(now: number): void {
    this.#clock = now;
    this.#packer.flush();
    this.#outputs?.flush();
    const waiting = this.#outputs === undefined ? this.#packer.queued : 0;
    if (this.#pacer.turnEnded(this.#targets, this.#sequence, waiting, now)) this.#packer.flush();
    for (const { deadline } of this.#targets) {
      if (deadline < this.#deadline) this.#deadline = deadline;
    }
    this.counters.queuedDatagrams = this.#queued;
    this.#log.write(now);
  }

  get #queued(): number {
    return this.#packer.queued + (this.#outputs?.queued ?? 0);
  }

  /** @param datagram belongs to the core from now on */
  receive(datagram: Buffer, now: number): void {
    const link = this.#senderOf(datagram);
    if (link === undefined) return;
    const opened = this.#opener.open(datagram);
    if (typeof opened === 'string') {
      this.counters.droppedDatagrams[opened] += 1;
      if (opened === 'wrongMode') this.#noteWrongMode(link, datagram, now);
      return;
    }
    const { counters } = link;
    counters.receivedDatagrams += 1;
    counters.receivedBytes += datagram.length;
    const silentMs = now - link.heardAt;
    if (link.stream.isFresh(opened.counter)) link.isRecovering = false;
    else if (!this.#hellos.recovers(link, opened, datagram.length, now)) {
      this.#deadline = Math.min(this.#deadline, link.deadline);
      return;
    }
    link.heardAt = now;
    switch (bodyKind(opened.body)) {
      case 'data':
        link.stream.receive(opened.body, now);
        if (asksForAck(opened.body)) {
          this.#acks.acknowledge(link, sequenceOf(opened.body), this.#targets, now);
        }
        break;
      case 'ack':
        if (!this.#acks.handleAck(link, opened.body, now)) break;
        this.#multicast?.ackHandled(link, now);
        this.flush(now);
        break;
      case 'heartbeat':
        this.#handleHeartbeat(link, opened, silentMs, now);
        break;
      case 'repair':
        if (link.stream.isWelcome)
          handleRepair(link, opened.body, this.#options.repairHandler, now);
        break;
      case 'hello':
        this.#hellos.handleHello(link, opened.body, datagram.length, now);
        break;
      case 'welcome':
        this.#hellos.handleWelcome(link, opened.body, now);
        this.#multicast?.handleWelcome(link, opened.body, now);
        break;
      default:
        counters.malformed += 1;
    }
    if (link.deadline < this.#deadline) this.#deadline = link.deadline;
  }

  /** When advance() is due, ms. */
  nextDeadline(): number {
    return Math.min(this.#deadline, this.#multicast?.deadline ?? Number.POSITIVE_INFINITY);
  }

  advance(now: number): void {
    if (now - this.#advancedAt > STALL_MS) for (const link of this.#targets) link.excuse(now);
    this.#advancedAt = now;
    for (const link of this.#targets) {
      if (link.deadline > now) continue;
      link.advance(now);
      this.#hellos.sendHellos(link, now);
    }
    this.#multicast?.advance(now);
    const { deadline, state } = this.#joinWait;
    if (deadline <= now || state === 'waiting') this.#updateJoinWait(now);
    this.flush(now);
    this.#deadline = this.#joinWait.deadline;
    for (const { deadline } of this.#targets) {
      if (deadline < this.#deadline) this.#deadline = deadline;
    }
  }

  /** Every peer since the start of the process, online or not. */
  peers(now: number): Iterable<PeerStatus> {
    return this.#links.statuses(now);
  }

  /**
   * Finds the link that the datagram claims to belong to. A datagram of an unknown sender is dropped
   * here, before any cryptography, so that strangers cost little.
   */
  #senderOf(datagram: Buffer): PeerLink | undefined {
    if (datagram.length >= ENVELOPE_HEADER_BYTES) {
      const link = this.#links.get(datagram.readBigUInt64BE(BOOT_ID_OFFSET));
      if (link !== undefined) return link;
    }
    this.counters.droppedDatagrams[this.#opener.precheck(datagram) ?? 'unknownSender'] += 1;
    return undefined;
  }

  /** Ignores a heartbeat for the process that ran at this address before. */
  #handleHeartbeat(link: PeerLink, { body, counter }: Opened, silentMs: number, now: number): void {
    const heartbeat = readHeartbeat(body);
    if (heartbeat.receiverBootId !== this.#options.bootId) return;
    link.handleHeartbeat(heartbeat, counter, silentMs, now);
    this.#log.modeAgrees(link.peer.name, now);
    this.#updateJoinWait(now);
  }

  #newLinkTable(): LinkTable {
    const options = this.#options;
    const port = {
      log: this.#linkLog,
      sendHeartbeat: (link: PeerLink, heartbeat: Readonly<Heartbeat>, bytes: number) =>
        this.#sendHeartbeat(link, heartbeat, bytes),
      nextPosition: (link: PeerLink) => this.#positionOf(link),
      isSuspect: (name: string) => options.isSuspect(name),
      sizeChanged: () => this.#fitDatagrams(),
      randomNonce: () => options.randomNonce(),
    };
    return new LinkTable(options, port, {
      startOf: (outgoing) => this.#outputs?.startOf(outgoing) ?? this.#nextPosition(),
      added: (link, start) => this.#outputs?.add(link, start, this.#packer),
      changed: (link, peer, now) => this.#hellos.moved(link, peer, now),
      removed: (link) => {
        this.#log.forget(link.peer.name);
        return this.#outputs?.remove(link, this.#packer);
      },
    });
  }

  #positionOf(link: PeerLink): StreamPosition {
    return this.#outputs?.nextPosition(link, this.#packer) ?? this.#nextPosition();
  }

  #nextPosition(): StreamPosition {
    return { sequence: this.#sequence + 1, number: this.#packer.nextNumber };
  }

  /** Peers that get the same datagrams get the size of the smallest path. */
  #fitDatagrams(): void {
    let bytes = this.#options.datagramBytes;
    if (this.#targets.length === 0) bytes = Math.min(bytes, DATAGRAM_BYTES_DEFAULT);
    for (const { path } of this.#targets) bytes = Math.min(bytes, path.bytes);
    if (bytes !== this.#packer.datagramBytes) this.#packer.resize(bytes);
    this.#outputs?.fitDatagrams();
  }

  #updateJoinWait(now: number): void {
    const wait = this.#joinWait;
    let accepting = 0;
    for (const link of this.#targets) if (link.isAccepting(now)) accepting += 1;
    if (!wait.update(this.#targets.length, accepting, this.#packer.isEmpty, now)) return;
    if (wait.state === 'alone') {
      const packets = this.#packer.clear();
      if (this.#expectsPeers) this.counters.noPeerMessages += packets;
    } else {
      if (wait.maySend) this.#log.peersFound(now);
      this.flush(now);
      if (wait.state === 'releasing' && this.#packer.isEmpty) this.#updateJoinWait(now);
      else if (wait.state === 'open') this.#outputs?.open(this.#packer);
    }
    if (wait.deadline < this.#deadline) this.#deadline = wait.deadline;
  }

  #sendToAll(outgoing: OutgoingDatagram): boolean {
    this.#joinWait.sent();
    if (this.#outputs !== undefined) {
      this.#outputs.sendCommon(outgoing);
      return true;
    }
    this.#sequence += 1;
    writeSequence(outgoing.buffer, ENVELOPE_HEADER_BYTES, this.#sequence);
    const asks = this.#acks.record(this.#targets, this.#sequence, outgoing, this.#clock);
    const datagram = this.#sealer.seal(outgoing.buffer, outgoing.end);
    let isFree = this.#multicast?.send(datagram, asks, this.#clock) ?? true;
    let isHeld = false;
    for (const link of this.#targets) {
      if (!link.isAnswering) isHeld = true;
      else if (link.reach.isUsed) link.countSent(outgoing.packets, datagram.length);
      else if (!this.#sendTo(link, datagram, outgoing.packets)) isFree = false;
    }
    if (isHeld) this.#held.hold(this.#advancedAt, this.#sequence, outgoing.packets, datagram);
    return isFree;
  }

  #sendTo(link: PeerLink, datagram: Buffer, packets: number): boolean {
    link.countSent(packets, datagram.length);
    return this.#options.outbox.send(datagram, link.peer.endpoint);
  }

  #sendOutput(link: PeerLink, outgoing: OutgoingDatagram, sequence: number): boolean {
    this.#acks.record([link], sequence, outgoing, this.#clock);
    const { buffer, end, packets } = outgoing;
    const datagram = this.#sealer.seal(buffer, end);
    if (link.isAnswering) return this.#sendTo(link, datagram, packets);
    this.#held.hold(this.#advancedAt, sequence, packets, datagram, link);
    return true;
  }

  readonly #countDiscarded = (packets: number): void => {
    this.counters.queueDroppedMessages += packets;
  };

  #sendHeartbeat(link: PeerLink, heartbeat: Readonly<Heartbeat>, probeBytes: number): void {
    const datagram = encodeHeartbeat(heartbeat, probeBytes);
    const end = datagram.length - ENVELOPE_TAG_BYTES;
    this.#options.outbox.send(this.#sealer.seal(datagram, end), link.peer.endpoint);
  }

  #noteWrongMode(link: PeerLink, datagram: Buffer, now: number): void {
    link.counters.wrongMode += 1;
    if (now < this.#modeCheckAt) return;
    this.#modeCheckAt = now + MODE_CHECK_MS;
    if (!this.#opener.isAuthentic(datagram)) return;
    link.isModeWrong = true;
    this.#log.modeDiffers(link.peer.name, this.#options.encrypt, now);
  }
}
