// The bulk channel of one node: large messages and retained values to each peer on a connection of its own,
// and those of peers on the connections that they open. Does no I/O.
// Invariants: a frame counts only behind a hello of a peer that is online; a peer that takes nothing, or is
// not reached, delays no other one; memory is bounded for each peer.

import { PacketType, PublishFlag, packetTypeOf } from '../mqtt/packet-type.ts';
import { PublishView } from '../mqtt/publish-view.ts';
import { decodeVarint, varintBytes } from '../mqtt/varint.ts';
import { bootSeed } from '../shared/boot-seed.ts';
import type { Logger } from '../shared/logger.ts';
import type { Peer } from '../shared/peer.ts';
import { readStamp } from './body-codec.ts';
import {
  BulkKind,
  decodeHello,
  decodeRepairFrame,
  encodeFrame,
  encodeRepairFrame,
  FrameReader,
} from './bulk-codec.ts';
import { type BulkEvents, type BulkFailure, BulkLink, type BulkStream } from './bulk-link.ts';
import { BulkLog } from './bulk-log.ts';
import { STAMP_BYTES } from './limits.ts';
import { type PeerPublishHandler, readPublish, type Sender } from './packet-reader.ts';
import type { Interest } from './peer-outputs.ts';
import { encodeRepairPacket, type RepairHandler, readRepair } from './repair.ts';
import type { RepairHead, RepairPacket } from './repair-codec.ts';

/** A peer has this time for its hello, ms. */
export const HELLO_MS = 5000;
/** A frame of another kind, such as a part of a session. */
export const BULK_FRAME_BYTES_MAX = 64 * 1024;
/** Of the head of a repair. */
const FRAME_HEAD_BYTES = 64;
/** A block is not sent to a peer again within this time, however often it asks, ms. */
const REPAIR_AGAIN_MS = 5000;
/** Repairs leave room for messages in a peer's queue. */
const REPAIR_QUEUE_BYTES_MAX = 8 * 1024 * 1024;

/** Takes frames of other kinds from peers that are online. */
export type BulkHandler = (peer: Peer, kind: number, body: Buffer, now: number) => void;

export interface BulkOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  /** Largest PUBLISH packet; 0: none, the channel is for other frames. */
  readonly publishBytesMax: number;
  readonly log: Logger;
  readonly now: number;
  readonly handler: PeerPublishHandler;
  readonly repairHandler?: RepairHandler | undefined;
  /** What other nodes subscribe to; undefined: every message goes to all of them. */
  readonly interest?: Interest | undefined;
  dial(peer: Peer, events: BulkEvents): BulkStream;
}

export interface BulkCounters {
  /** Messages, for each peer that they were sent to. */
  sentMessages: number;
  /** Messages that a peer has no subscriber for (-forward=interest). */
  skippedMessages: number;
  receivedMessages: number;
  /** Messages that a peer was not sent: no connection, or its queue was full. */
  lostMessages: number;
  /** Frames of peers that were larger than this node takes. */
  tooLargeFrames: number;
  malformed: number;
  /** Connections of nodes that are no peers. */
  refusedConnections: number;
}

interface Incoming {
  readonly stream: BulkStream;
  readonly helloBy: number;
  readonly reader: FrameReader;
  peer: Peer | undefined;
  /** When its hello came. */
  since: number;
}

/** The connections with one peer, one in each direction. */
export interface BulkStatus {
  readonly peer: Peer;
  /** Open since then, ms of the monotonic clock; undefined while the peer has opened none. */
  readonly incomingSince: number | undefined;
  readonly outgoingSince: number | undefined;
  readonly failure: BulkFailure | undefined;
}

export class BulkNode {
  readonly counters: BulkCounters = {
    sentMessages: 0,
    skippedMessages: 0,
    receivedMessages: 0,
    lostMessages: 0,
    tooLargeFrames: 0,
    malformed: 0,
    refusedConnections: 0,
  };
  /** Takes frames of other kinds. */
  onFrame: BulkHandler = () => undefined;
  readonly #options: BulkOptions;
  readonly #log: BulkLog;
  /** By boot id. */
  readonly #links = new Map<bigint, BulkLink>();
  readonly #incoming = new Set<Incoming>();
  /** When a block was last sent: peer, writer and range. */
  readonly #repairs = new Map<string, number>();
  #isLeaving = false;
  #now: number;

  constructor(options: BulkOptions) {
    this.#options = options;
    this.#log = new BulkLog(options.log);
    this.#now = options.now;
  }

  get publishBytesMax(): number {
    return this.#options.publishBytesMax;
  }

  /** Peers that large messages reach now. */
  get connected(): number {
    let count = 0;
    for (const { isOpen } of this.#links.values()) if (isOpen) count += 1;
    return count;
  }

  /** Of each peer that is online. */
  get status(): BulkStatus[] {
    const incoming = new Map([...this.#incoming].map((one) => [one.peer?.bootId, one.since]));
    return [...this.#links.values()].map(({ peer, failure, openSince }) => ({
      peer,
      failure,
      outgoingSince: openSince,
      incomingSince: incoming.get(peer.bootId),
    }));
  }

  /** Bytes that wait for peers. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const { queuedBytes } of this.#links.values()) bytes += queuedBytes;
    return bytes;
  }

  /** Replaces the list of peers that are online. */
  setPeers(peers: readonly Peer[], now: number): void {
    this.#now = now;
    const { bootId } = this.#options;
    const online = new Map(peers.map((peer) => [peer.bootId, peer]));
    online.delete(bootId);
    for (const [id, link] of this.#links) {
      if (online.has(id)) continue;
      link.close();
      this.#links.delete(id);
      this.#log.forget(link.peer);
    }
    for (const incoming of [...this.#incoming]) {
      if (incoming.peer !== undefined && !online.has(incoming.peer.bootId)) this.#drop(incoming);
    }
    for (const [id, peer] of online) {
      const link = this.#links.get(id);
      if (link !== undefined) link.peer = peer;
      else this.#links.set(id, this.#newLink(peer, now));
    }
  }

  /**
   * Sends a PUBLISH to all online peers that may have a use for it.
   * @param packet in the form of the sync channel, with its stamp if it has one; kept
   * @returns how many peers are online
   */
  forward(packet: Buffer, topic: Buffer, isRetained: boolean): number {
    const { interest } = this.#options;
    const levels = isRetained || !interest ? undefined : topic.toString('utf8').split('/');
    const frame = encodeFrame(BulkKind.publish, packet);
    for (const [bootId, link] of this.#links) {
      if (levels !== undefined && interest?.wants(bootId, levels) === false) {
        this.counters.skippedMessages += 1;
      } else if (link.send(frame, this.#now)) this.counters.sentMessages += 1;
      else this.#lose(link, 1);
    }
    return this.#links.size;
  }

  /** Sends a block of retained values to one peer, unless the same block is on its way there. */
  sendRepair(to: bigint, head: RepairHead, packets: readonly RepairPacket[]): void {
    const link = this.#links.get(to);
    if (link?.isOpen !== true || link.queuedBytes > REPAIR_QUEUE_BYTES_MAX) return;
    for (const [key, at] of this.#repairs) {
      if (this.#now - at < REPAIR_AGAIN_MS) break;
      this.#repairs.delete(key);
    }
    const key = `${to} ${head.writer} ${head.from} ${head.to}`;
    if (this.#repairs.has(key)) return;
    this.#repairs.set(key, this.#now);
    link.send(encodeRepairFrame(head, packets.map(encodeRepairPacket)), this.#now);
  }

  /** Sends a frame of another kind. @returns false if the peer is not reached */
  send(to: bigint, kind: number, body: Buffer): boolean {
    return this.#links.get(to)?.send(encodeFrame(kind, body), this.#now) ?? false;
  }

  /** A connection that another node has opened. */
  accept(stream: BulkStream, now: number): BulkEvents {
    this.#now = now;
    const reader = new FrameReader();
    const incoming: Incoming = {
      stream,
      reader,
      helloBy: now + HELLO_MS,
      peer: undefined,
      since: now,
    };
    this.#incoming.add(incoming);
    return {
      opened: () => undefined,
      drained: () => undefined,
      closed: () => {
        this.#incoming.delete(incoming);
      },
      received: (chunk, at) => {
        this.#now = at;
        const { skipped } = reader;
        reader.push(chunk, (kind, body) => {
          if (this.#incoming.has(incoming)) this.#take(incoming, kind, body);
        });
        this.#skipped(incoming, reader.skipped - skipped);
      },
    };
  }

  /** Opens connections, and ends those that stall. Call it a few times a second. */
  advance(now: number): void {
    this.#now = now;
    for (const link of this.#links.values()) link.advance(now);
    for (const incoming of [...this.#incoming]) {
      if (incoming.peer === undefined && now >= incoming.helloBy) this.#refuse(incoming);
    }
  }

  /** From now on the other nodes end their connections, because this one leaves: no fault is logged. */
  leave(): void {
    this.#isLeaving = true;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    for (const incoming of [...this.#incoming]) this.#drop(incoming);
    this.#links.clear();
  }

  #newLink(peer: Peer, now: number): BulkLink {
    const port = {
      dial: (to: Peer, events: BulkEvents) => this.#options.dial(to, events),
      opened: (link: BulkLink, at: number) => {
        this.#now = at;
        this.#log.opened(link.peer, at);
      },
      failed: (link: BulkLink, reason: string, lost: number, at: number) => {
        this.#now = at;
        if (!this.#isLeaving) this.#log.failed(link.peer, reason, at);
        if (lost > 0) this.#lose(link, lost);
      },
      idle: (link: BulkLink, at: number) => this.#log.keepsUp(link.peer, at),
    };
    return new BulkLink(peer, this.#options.bootId, port, now);
  }

  #lose({ peer, isOpen }: BulkLink, messages: number): void {
    this.counters.lostMessages += messages;
    // Without a connection the fault has a line already.
    if (isOpen) this.#log.queueFull(peer, this.counters.lostMessages, this.#now);
  }

  #take(incoming: Incoming, kind: number, body: Buffer): void {
    const { peer } = incoming;
    if (peer === undefined) {
      this.#takeHello(incoming, kind, body);
      return;
    }
    if (kind === BulkKind.publish) this.#takePublish(peer, body);
    else if (kind === BulkKind.repair) this.#takeRepair(peer, body);
    else this.onFrame(peer, kind, body, this.#now);
  }

  #takeHello(incoming: Incoming, kind: number, body: Buffer): void {
    const hello = kind === BulkKind.hello ? decodeHello(body) : undefined;
    const link = hello?.to === this.#options.bootId ? this.#links.get(hello.from) : undefined;
    if (link === undefined) {
      this.#refuse(incoming);
      return;
    }
    for (const older of [...this.#incoming]) {
      if (older.peer?.bootId === link.peer.bootId) this.#drop(older);
    }
    incoming.peer = link.peer;
    incoming.since = this.#now;
    link.hurry(this.#now);
    incoming.reader.bytesMax = Math.max(
      this.#options.publishBytesMax + FRAME_HEAD_BYTES,
      1 + BULK_FRAME_BYTES_MAX,
    );
  }

  #takePublish(peer: Peer, body: Buffer): void {
    const { handler, publishBytesMax } = this.#options;
    const remaining = decodeVarint(body, 1, body.length);
    const packetBytes = 1 + varintBytes(Math.max(0, remaining)) + remaining;
    const isStamped = (body[0]! & PublishFlag.dup) !== 0;
    const total = isStamped ? packetBytes + STAMP_BYTES : packetBytes;
    const view = new PublishView();
    if (
      remaining < 0 ||
      packetBytes > publishBytesMax ||
      total !== body.length ||
      packetTypeOf(body[0]!) !== PacketType.publish ||
      !readPublish(view, body, 0, packetBytes) ||
      (isStamped && !view.retain)
    ) {
      this.#malformed(peer);
      return;
    }
    this.counters.receivedMessages += 1;
    const { name, bootId } = peer;
    const sender: Sender = { name, bootId, seed: bootSeed(bootId) };
    const stamp = isStamped ? readStamp(body, packetBytes, bootId) : undefined;
    handler.publishFromPeer(view, this.#now, sender, undefined, stamp);
  }

  #takeRepair(peer: Peer, body: Buffer): void {
    const { repairHandler, publishBytesMax } = this.#options;
    if (repairHandler === undefined) return;
    const repair = decodeRepairFrame(body);
    const values = repair && readRepair(repair.packets, repair.head.writer, publishBytesMax);
    if (repair === undefined || values === undefined) {
      this.#malformed(peer);
      return;
    }
    for (const { view, stamp } of values) repairHandler.repairFromPeer(view, stamp, this.#now);
    repairHandler.blockFromPeer(peer.bootId, repair.head, this.#now);
  }

  #malformed(peer: Peer): void {
    this.counters.malformed += 1;
    this.#log.malformed(peer, this.#now);
  }

  #skipped({ peer }: Incoming, frames: number): void {
    if (frames === 0) return;
    this.counters.tooLargeFrames += frames;
    if (peer !== undefined) this.#log.tooLarge(peer, this.#now);
  }

  #refuse(incoming: Incoming): void {
    this.counters.refusedConnections += 1;
    this.#drop(incoming);
  }

  #drop(incoming: Incoming): void {
    this.#incoming.delete(incoming);
    incoming.stream.close();
  }
}
