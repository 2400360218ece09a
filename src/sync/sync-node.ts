// The sync channel of one node without its socket: packs local PUBLISH packets into datagrams for all
// online peers, and hands the packets of online peers to the broker. Time, randomness and the network
// come from outside. The protocol is in docs/protocol.md.
// Invariants: every peer gets the same bytes; a packet from a peer is never forwarded; a datagram
// that is not authentic, or whose sender is not an online peer, changes only a counter.

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
import type { LogFields, Logger } from '../shared/logger.ts';
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
import type { PeerPublishHandler } from './packet-reader.ts';
import { PeerStream, type RetiredStream } from './peer-stream.ts';
import { PublishWriter } from './publish-writer.ts';

/** The network as the core sees it. */
export interface SyncOutbox {
  /** @returns false if the socket still reads the bytes: the core then never writes to that buffer again */
  send(datagram: Buffer, to: Endpoint): boolean;
  /** False while datagrams wait in the socket. Call flush() when it is true again. */
  isReady(): boolean;
}

export interface SyncNodeOptions {
  readonly bootId: bigint;
  readonly keys: ChannelKeys;
  readonly encrypt: boolean;
  /** Topic Filters of the messages to forward. */
  readonly topics: readonly string[];
  /** Largest datagram to send, bytes. Datagrams of any size are accepted. */
  readonly datagramBytes: number;
  /** Datagrams that may wait for the network. */
  readonly queueLength: number;
  readonly queuePolicy: QueuePolicy;
  readonly log: Logger;
  readonly outbox: SyncOutbox;
  /** @returns NONCE_BYTES unpredictable bytes */
  randomNonce(): Buffer;
  readonly handler: PeerPublishHandler;
}

export interface PeerStatus {
  readonly name: string;
  readonly counters: Readonly<PeerCounters>;
  /** False while the peer is offline. */
  readonly isOnline: boolean;
  /** The peer has answered on the sync port, so its messages are accepted. */
  readonly isWelcome: boolean;
}

/**
 * Result of forward(). 'noPeers': no other node is online. 'filtered': -topics keeps the message on
 * this node. 'tooLarge': the packet has 4096 bytes or more. 'discarded': the send queue is full.
 */
export type ForwardResult = 'forwarded' | 'noPeers' | 'filtered' | 'tooLarge' | 'discarded';

const BOOT_ID_OFFSET = 8;

export class SyncNode {
  readonly counters: ChannelCounters = newChannelCounters();
  readonly #options: SyncNodeOptions;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #filter: ForwardFilter;
  readonly #writer = new PublishWriter();
  readonly #packer: Packer;
  /** By boot id. */
  #streams = new Map<bigint, PeerStream>();
  #targets: readonly PeerStream[] = [];
  readonly #retired = new Map<bigint, RetiredStream>();
  readonly #peerCounters = new Map<string, PeerCounters>();
  #sequence = 0;
  #deadline = Number.POSITIVE_INFINITY;
  readonly #loggedAt = new Map<string, number>();
  /** The message to name in the next log line about too large messages. */
  #tooLarge: LogFields | undefined;
  readonly #loggedTotals = new Map<string, number>();

  constructor(options: SyncNodeOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options.keys, options.bootId, options.encrypt);
    this.#opener = new Opener(options.keys, options.encrypt);
    this.#filter = new ForwardFilter(options.topics);
    this.#packer = new Packer(options, {
      send: (datagram) => this.#sendToAll(datagram),
      isReady: () => options.outbox.isReady(),
      discarded: (packets) => {
        this.counters.queueDroppedMessages += packets;
      },
    });
  }

  /** Signs with the first of these keys from now on, and accepts all of them. */
  rekey(keys: ChannelKeys): void {
    this.#sealer.rekey(keys);
    this.#opener.rekey(keys);
  }

  /** Replaces the list of peers that are online. */
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
   * Packs a PUBLISH of a local client, a will or the broker itself for all online peers. The bytes
   * are copied. Call flush() at the end of the turn unless the result is 'noPeers' or 'filtered'.
   * @param topic the Topic Name's bytes, also if the packet has only an alias
   * @param clientId the publisher, for the log
   */
  forward(view: PublishView, topic: Buffer, clientId: string | undefined): ForwardResult {
    if (this.#targets.length === 0) return 'noPeers';
    if (!this.#filter.allows(topic)) {
      this.counters.filteredMessages += 1;
      return 'filtered';
    }
    const bytes = this.#writer.measure(view, topic);
    if (bytes > PUBLISH_BYTES_MAX) {
      this.counters.tooLargeMessages += 1;
      this.#tooLarge ??= { topic: topic.toString('utf8'), client: clientId, bytes };
      return 'tooLarge';
    }
    if (!this.#packer.append(this.#writer, view, topic)) return 'discarded';
    this.counters.forwardedMessages += 1;
    this.counters.forwardedBytes += bytes;
    return 'forwarded';
  }

  /** Sends what was packed. Call it at the end of a turn and when the outbox is ready again. */
  flush(now: number): void {
    this.#packer.flush();
    this.counters.queuedDatagrams = this.#packer.queued;
    this.#logTooLarge(now);
    const { queueDroppedMessages } = this.counters;
    this.#logGrowth('messages discarded: the network is too slow', queueDroppedMessages, now);
  }

  /** @param datagram belongs to the core from now on */
  receive(datagram: Buffer, now: number): void {
    const stream = this.#senderOf(datagram);
    if (stream === undefined) return;
    const opened = this.#opener.open(datagram);
    if (typeof opened === 'string') {
      this.counters.droppedDatagrams[opened] += 1;
      if (opened === 'wrongMode') this.#logWrongMode(stream, now);
      return;
    }
    const { counters } = stream;
    counters.receivedDatagrams += 1;
    counters.receivedBytes += datagram.length;
    if (!stream.isFresh(opened.counter)) return;
    this.#dispatch(stream, opened.body, now);
    if (stream.deadline < this.#deadline) this.#deadline = stream.deadline;
  }

  /** When advance() is due, ms; Infinity if only an event can bring work. */
  nextDeadline(): number {
    return this.#deadline;
  }

  advance(now: number): void {
    this.#deadline = Number.POSITIVE_INFINITY;
    for (const stream of this.#targets) {
      if (stream.deadline <= now) {
        stream.advance(now);
        this.#sendHello(stream, now);
      }
      if (stream.deadline < this.#deadline) this.#deadline = stream.deadline;
    }
  }

  /** Every peer since the start of the process, online or not. */
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
   * Finds the stream that the datagram claims to belong to. A datagram of an unknown sender is dropped
   * here, before any cryptography, so that strangers cost little.
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
        this.#sendWelcome(stream, body);
        stream.expediteHello();
        this.#sendHello(stream, now);
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
      handler: this.#options.handler,
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

  #sendToAll(outgoing: OutgoingDatagram): boolean {
    this.#sequence += 1;
    writeSequence(outgoing.buffer, ENVELOPE_HEADER_BYTES, this.#sequence);
    const datagram = this.#sealer.seal(outgoing.buffer, outgoing.end);
    const { outbox } = this.#options;
    let isFree = true;
    for (const { peer, counters } of this.#targets) {
      counters.sentDatagrams += 1;
      counters.sentBytes += datagram.length;
      counters.sentMessages += outgoing.packets;
      if (!outbox.send(datagram, peer.endpoint)) isFree = false;
    }
    return isFree;
  }

  /** Sends a hello if one is due, and logs a peer that has not answered for long. */
  #sendHello(stream: PeerStream, now: number): void {
    if (!stream.takeHello(now)) return;
    const hello = Buffer.alloc(this.#options.datagramBytes);
    const end = hello.length - ENVELOPE_TAG_BYTES;
    writeHello(hello, ENVELOPE_HEADER_BYTES, end, stream.nonce);
    this.#options.outbox.send(this.#sealer.seal(hello, end), stream.peer.endpoint);
    if (stream.isSilenceLogged || now - stream.createdAt < HELLO_PATIENCE_MS) return;
    stream.isSilenceLogged = true;
    this.#options.log.warn('a peer does not answer on its sync port', {
      peer: stream.peer.name,
      address: formatEndpoint(stream.peer.endpoint),
      hint: `is this UDP port open in both directions, for ${this.#options.datagramBytes} bytes?`,
    });
  }

  #sendWelcome(stream: PeerStream, hello: Buffer): void {
    const welcome = Buffer.alloc(ENVELOPE_BYTES + WELCOME_BYTES);
    const end = writeWelcome(welcome, ENVELOPE_HEADER_BYTES, nonceOf(hello), stream.outgoingStart);
    this.#options.outbox.send(this.#sealer.seal(welcome, end), stream.peer.endpoint);
  }

  #logWrongMode(stream: PeerStream, now: number): void {
    stream.counters.wrongMode += 1;
    if (!this.#mayLog(`mode ${stream.peer.name}`, now)) return;
    const { encrypt } = this.#options;
    this.#options.log.error('-encrypt differs between this node and a peer; nothing crosses', {
      peer: stream.peer.name,
      here: encrypt ? 'on' : 'off',
      there: encrypt ? 'off' : 'on',
    });
  }

  /** Logs the first too large message since the last line of this kind. */
  #logTooLarge(now: number): void {
    const event = 'a message of 4096 bytes or more is not forwarded to other nodes';
    if (this.#tooLarge === undefined || !this.#mayLog(event, now)) return;
    this.#options.log.warn(event, { ...this.#tooLarge, total: this.counters.tooLargeMessages });
    this.#tooLarge = undefined;
  }

  /** Logs a total that has grown since the last time. */
  #logGrowth(event: string, total: number, now: number): void {
    if (total === (this.#loggedTotals.get(event) ?? 0) || !this.#mayLog(event, now)) return;
    this.#loggedTotals.set(event, total);
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
