// The sync channel of one node without its socket: takes local PUBLISH packets and makes datagrams
// for all online peers; takes datagrams and delivers the packets of online peers. Time, randomness
// and the network come from outside. Design: docs/protocol.md.
// Invariants: the same bytes go to every peer; a packet from a peer is never forwarded; a datagram
// that is not authentic, or not of an online peer, changes nothing but a counter.

import type { PublishView } from '../mqtt/publish-view.ts';
import { type Endpoint, formatEndpoint } from '../shared/endpoint.ts';
import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  Opener,
  Sealer,
} from '../shared/envelope.ts';
import type { ChannelKeys } from '../shared/key-ring.ts';
import type { Logger } from '../shared/logger.ts';
import type { Peer } from '../shared/peer.ts';
import {
  bodyKind,
  nonceOf,
  type StreamPosition,
  startOf,
  WELCOME_BYTES,
  writeHello,
  writeSequence,
  writeWelcome,
} from './body-codec.ts';
import {
  type ChannelCounters,
  newChannelCounters,
  newPeerCounters,
  type PeerCounters,
} from './counters.ts';
import { ForwardFilter } from './forward-filter.ts';
import {
  HELLO_PATIENCE_MS,
  LOG_INTERVAL_MS,
  PEER_NAMES_MAX,
  PUBLISH_BYTES_MAX,
  RETIRED_STREAMS_MAX,
} from './limits.ts';
import { type OutgoingDatagram, Packer, type QueuePolicy } from './packer.ts';
import { PeerStream, type RetiredStream } from './peer-stream.ts';
import { PublishWriter } from './publish-writer.ts';

/** The network as the core sees it. */
export interface SyncOutbox {
  /** @returns false if the bytes are still in use: the core will not touch that buffer again */
  send(datagram: Buffer, to: Endpoint): boolean;
  /** False while datagrams wait in the socket; flush() is to be called when that ends. */
  isReady(): boolean;
}

export interface SyncNodeOptions {
  readonly bootId: bigint;
  readonly keys: ChannelKeys;
  readonly encrypt: boolean;
  /** Topic Filters of what is forwarded. */
  readonly topics: readonly string[];
  /** Largest datagram that is sent; of any size are received. */
  readonly datagramBytes: number;
  /** Datagrams that may wait for the network. */
  readonly queueLength: number;
  readonly queuePolicy: QueuePolicy;
  readonly log: Logger;
  readonly outbox: SyncOutbox;
  /** 8 unpredictable bytes. */
  randomNonce(): Buffer;
  /** A PUBLISH of a peer; `view` is valid during the call only. */
  deliver(view: PublishView, peerName: string): void;
}

export interface PeerStatus {
  readonly name: string;
  readonly counters: Readonly<PeerCounters>;
  /** False for a peer that is offline now. */
  readonly isOnline: boolean;
  /** The peer has answered on the sync port: its messages are let in. */
  readonly isWelcome: boolean;
}

const BOOT_ID_OFFSET = 8;

export class SyncNode {
  readonly counters: ChannelCounters = newChannelCounters();
  readonly #options: SyncNodeOptions;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #gate: ForwardFilter;
  readonly #framer = new PublishWriter();
  readonly #packer: Packer;
  /** By boot id. */
  #streams = new Map<bigint, PeerStream>();
  #targets: readonly PeerStream[] = [];
  readonly #retired = new Map<bigint, RetiredStream>();
  readonly #peerCounters = new Map<string, PeerCounters>();
  #sequence = 0;
  #deadline = Number.POSITIVE_INFINITY;
  readonly #loggedAt = new Map<string, number>();
  readonly #toldTotals = new Map<string, number>();

  constructor(options: SyncNodeOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options.keys, options.bootId, options.encrypt);
    this.#opener = new Opener(options.keys, options.encrypt);
    this.#gate = new ForwardFilter(options.topics);
    this.#packer = new Packer(options, {
      ship: (parcel) => this.#ship(parcel),
      isReady: () => options.outbox.isReady(),
      onDiscard: (packets) => {
        this.counters.queueDroppedMessages += packets;
      },
    });
  }

  /** Signs with the first of other keys from now on and accepts all of them. */
  rekey(keys: ChannelKeys): void {
    this.#sealer.rekey(keys);
    this.#opener.rekey(keys);
  }

  /** Those that are online now; replaces the list. */
  setPeers(peers: readonly Peer[], now: number): void {
    const streams = new Map<bigint, PeerStream>();
    for (const peer of peers) {
      if (peer.bootId === this.#options.bootId) continue;
      const known = this.#streams.get(peer.bootId);
      if (known !== undefined) known.peer = peer;
      streams.set(peer.bootId, known ?? this.#newStream(peer, now));
    }
    for (const [bootId, stream] of this.#streams) {
      if (!streams.has(bootId)) this.#retire(bootId, stream);
    }
    this.#streams = streams;
    this.#targets = [...streams.values()];
    if (this.#targets.length === 0) this.#packer.clear();
    this.advance(now);
  }

  /**
   * Takes a PUBLISH of a local client, a will or the broker itself for all online peers. The bytes
   * are copied.
   * @param topic the Topic Name's bytes, also where the packet has an alias only
   * @returns true if flush() should be called at the end of this turn
   */
  forward(view: PublishView, topic: Buffer): boolean {
    if (this.#targets.length === 0) return false;
    if (!this.#gate.allows(topic)) {
      this.counters.filteredMessages += 1;
      return false;
    }
    const bytes = this.#framer.measure(view, topic);
    if (bytes > PUBLISH_BYTES_MAX) {
      this.counters.tooLargeMessages += 1;
      return true;
    }
    if (this.#packer.append(this.#framer, view, topic)) {
      this.counters.forwardedMessages += 1;
      this.counters.forwardedBytes += bytes;
    }
    return true;
  }

  /** Sends what was packed: at the end of a turn, and when the outbox is ready again. */
  flush(now: number): void {
    this.#packer.flush();
    this.counters.queuedDatagrams = this.#packer.queued;
    const { tooLargeMessages, queueDroppedMessages } = this.counters;
    this.#tellTotal('messages of 4096 bytes or more stay on this node', tooLargeMessages, now);
    this.#tellTotal('messages discarded: the network is too slow', queueDroppedMessages, now);
  }

  /** @param datagram as it came; the core may keep it */
  receive(datagram: Buffer, now: number): void {
    const stream = this.#senderOf(datagram);
    if (stream === undefined) return;
    const opened = this.#opener.open(datagram);
    if (typeof opened === 'string') {
      this.counters.droppedDatagrams[opened] += 1;
      if (opened === 'wrongMode') this.#tellWrongMode(stream, now);
      return;
    }
    const { counters } = stream;
    counters.receivedDatagrams += 1;
    counters.receivedBytes += datagram.length;
    if (!stream.isFresh(opened.counter)) return;
    this.#dispatch(stream, opened.body, now);
    if (stream.deadline < this.#deadline) this.#deadline = stream.deadline;
  }

  /** When advance() is to be called next; Infinity if only an event can bring work. */
  nextDeadline(): number {
    return this.#deadline;
  }

  advance(now: number): void {
    this.#deadline = Number.POSITIVE_INFINITY;
    for (const stream of this.#targets) {
      if (stream.deadline <= now) {
        stream.advance(now);
        this.#greet(stream, now);
      }
      if (stream.deadline < this.#deadline) this.#deadline = stream.deadline;
    }
  }

  /** Every peer seen since the start, online or not. */
  *peers(): Generator<PeerStatus> {
    const online = new Map(this.#targets.map((stream) => [stream.peer.name, stream]));
    for (const [name, counters] of this.#peerCounters) {
      const stream = online.get(name);
      yield {
        name,
        counters,
        isOnline: stream !== undefined,
        isWelcome: stream?.isWelcome ?? false,
      };
    }
  }

  /**
   * The stream that the datagram claims to be of. What is no peer's is dropped here, before any
   * cryptography, so that strangers cost little.
   */
  #senderOf(datagram: Buffer): PeerStream | undefined {
    if (datagram.length >= ENVELOPE_HEADER_BYTES) {
      const stream = this.#streams.get(datagram.readBigUInt64BE(BOOT_ID_OFFSET));
      if (stream !== undefined) return stream;
    }
    this.counters.droppedDatagrams[this.#opener.precheck(datagram) ?? 'unknownSender'] += 1;
    return undefined;
  }

  #dispatch(stream: PeerStream, body: Buffer, now: number): void {
    switch (bodyKind(body)) {
      case 'data':
        stream.receive(body, now);
        break;
      case 'hello':
        this.#answer(stream, body);
        stream.hastenHello();
        this.#greet(stream, now);
        break;
      case 'welcome':
        if (nonceOf(body).equals(stream.nonce)) stream.welcome(startOf(body), now);
        break;
      default:
        stream.counters.malformed += 1;
    }
  }

  #newStream(peer: Peer, now: number): PeerStream {
    const retired = this.#retired.get(peer.bootId);
    this.#retired.delete(peer.bootId);
    return new PeerStream({
      peer,
      counters: this.#countersOf(peer.name),
      nonce: this.#options.randomNonce(),
      outgoingStart: this.#nextPosition(),
      retired,
      deliver: (view) => this.#options.deliver(view, peer.name),
      now,
    });
  }

  #nextPosition(): StreamPosition {
    return { sequence: this.#sequence + 1, number: this.#packer.nextNumber };
  }

  #retire(bootId: bigint, stream: PeerStream): void {
    if (this.#retired.size >= RETIRED_STREAMS_MAX) deleteOldest(this.#retired);
    this.#retired.set(bootId, stream.retire());
  }

  #countersOf(name: string): PeerCounters {
    let counters = this.#peerCounters.get(name);
    if (counters === undefined) {
      if (this.#peerCounters.size >= PEER_NAMES_MAX) deleteOldest(this.#peerCounters);
      counters = newPeerCounters();
      this.#peerCounters.set(name, counters);
    }
    return counters;
  }

  #ship(parcel: OutgoingDatagram): boolean {
    this.#sequence += 1;
    writeSequence(parcel.buffer, ENVELOPE_HEADER_BYTES, this.#sequence);
    const datagram = this.#sealer.seal(parcel.buffer, parcel.end);
    const { outbox } = this.#options;
    let isFree = true;
    for (const { peer, counters } of this.#targets) {
      counters.sentDatagrams += 1;
      counters.sentBytes += datagram.length;
      counters.sentMessages += parcel.starts;
      if (!outbox.send(datagram, peer.endpoint)) isFree = false;
    }
    return isFree;
  }

  /** Sends a hello if one is due, and says so if the peer has been silent for long. */
  #greet(stream: PeerStream, now: number): void {
    if (!stream.takeHello(now)) return;
    const hello = Buffer.alloc(this.#options.datagramBytes);
    const end = hello.length - ENVELOPE_TAG_BYTES;
    writeHello(hello, ENVELOPE_HEADER_BYTES, end, stream.nonce);
    this.#options.outbox.send(this.#sealer.seal(hello, end), stream.peer.endpoint);
    if (stream.hasComplained || now - stream.createdAt < HELLO_PATIENCE_MS) return;
    stream.hasComplained = true;
    this.#options.log.warn('a peer does not answer on its sync port', {
      peer: stream.peer.name,
      address: formatEndpoint(stream.peer.endpoint),
      hint: `is this UDP port open in both directions, for ${this.#options.datagramBytes} bytes?`,
    });
  }

  #answer(stream: PeerStream, hello: Buffer): void {
    const welcome = Buffer.alloc(ENVELOPE_BYTES + WELCOME_BYTES);
    const end = writeWelcome(welcome, ENVELOPE_HEADER_BYTES, nonceOf(hello), stream.outgoingStart);
    this.#options.outbox.send(this.#sealer.seal(welcome, end), stream.peer.endpoint);
  }

  #tellWrongMode(stream: PeerStream, now: number): void {
    stream.counters.wrongMode += 1;
    if (!this.#mayLog(`mode ${stream.peer.name}`, now)) return;
    const { encrypt } = this.#options;
    this.#options.log.error('-encrypt differs between this node and a peer; nothing crosses', {
      peer: stream.peer.name,
      here: encrypt ? 'on' : 'off',
      there: encrypt ? 'off' : 'on',
    });
  }

  /** Logs a total that has grown since it was logged last. */
  #tellTotal(event: string, total: number, now: number): void {
    if (total === (this.#toldTotals.get(event) ?? 0) || !this.#mayLog(event, now)) return;
    this.#toldTotals.set(event, total);
    this.#options.log.warn(event, { total });
  }

  #mayLog(event: string, now: number): boolean {
    if (now - (this.#loggedAt.get(event) ?? Number.NEGATIVE_INFINITY) < LOG_INTERVAL_MS) {
      return false;
    }
    if (this.#loggedAt.size >= PEER_NAMES_MAX) this.#loggedAt.clear();
    this.#loggedAt.set(event, now);
    return true;
  }
}

function deleteOldest<K>(map: Map<K, unknown>): void {
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
