// The incoming half of one peer under one boot id. Until the peer has answered our hello with a
// welcome we don't know where its stream begins for us, and a recording of it could be played to
// us after a restart: so data waits, or is dropped where there is no more room. From then on
// datagrams go through the replay window, are put in order and read.
// Invariants: nothing is delivered twice or out of order, and nothing from before the welcome's
// position; memory is bounded by HOLD_DATAGRAMS datagrams and one packet.

import type { Peer } from '../shared/peer.ts';
import { ReplayWindow } from '../shared/replay-window.ts';
import { type StreamPosition, sequenceOf } from './body-codec.ts';
import type { PeerCounters } from './counters.ts';
import { HELLO_FIRST_MS, HELLO_LONGEST_MS, HOLD_DATAGRAMS, PARTIAL_MS } from './limits.ts';
import { type Deliver, PacketReader } from './packet-reader.ts';
import { ReorderBuffer } from './reorder-buffer.ts';

/** What is kept of a peer that is offline, in case it comes back under the same boot id. */
export interface RetiredStream {
  readonly window: ReplayWindow;
  readonly position: StreamPosition;
}

export interface StreamOptions {
  readonly peer: Peer;
  readonly counters: PeerCounters;
  /** Random, 8 bytes. */
  readonly nonce: Buffer;
  /** First datagram that was or will be sent to this peer. */
  readonly outgoingStart: StreamPosition;
  readonly retired: RetiredStream | undefined;
  readonly deliver: Deliver;
  readonly now: number;
}

/** Envelope counters no further back than this are told apart as repeats; older ones are late. */
const REPEAT_SPAN = 992;

export class PeerStream {
  peer: Peer;
  readonly counters: PeerCounters;
  readonly nonce: Buffer;
  readonly outgoingStart: StreamPosition;
  readonly createdAt: number;
  /** So that a silent peer is told of once. */
  hasComplained = false;
  readonly #window: ReplayWindow;
  /** Where we stopped when the peer went offline. */
  readonly #known: StreamPosition;
  readonly #deliver: Deliver;
  #reader: PacketReader | undefined;
  #order: ReorderBuffer | undefined;
  /** Bodies that wait for the welcome. */
  #early: Buffer[] = [];
  #helloAt: number;
  #helloSentAt = Number.NEGATIVE_INFINITY;
  #helloDelayMs = HELLO_FIRST_MS;
  #partialDeadline = Number.POSITIVE_INFINITY;

  constructor(options: StreamOptions) {
    this.peer = options.peer;
    this.counters = options.counters;
    this.nonce = options.nonce;
    this.outgoingStart = options.outgoingStart;
    this.createdAt = options.now;
    this.#window = options.retired?.window ?? new ReplayWindow();
    this.#known = options.retired?.position ?? { sequence: 1, number: 1 };
    this.#deliver = options.deliver;
    this.#helloAt = options.now;
  }

  /** True once the peer has answered our hello. */
  get isWelcome(): boolean {
    return this.#order !== undefined;
  }

  /** When advance() has something to do, ms. */
  get deadline(): number {
    if (this.#order === undefined) return this.#helloAt;
    return Math.min(this.#order.deadline, this.#partialDeadline);
  }

  /** Records an authentic datagram; false if it was seen before or is too old to tell. */
  isFresh(counter: number): boolean {
    if (this.#window.accept(counter)) return true;
    if (this.#window.highest - counter < REPEAT_SPAN) this.counters.duplicateDatagrams += 1;
    else this.counters.lateDatagrams += 1;
    return false;
  }

  /** @param body a data body; kept while it waits */
  receive(body: Buffer, now: number): void {
    if (this.#order === undefined) {
      if (this.#early.length < HOLD_DATAGRAMS) this.#early.push(body);
      else this.counters.earlyDropped += 1;
      return;
    }
    this.#insert(this.#order, body, now);
    this.#watchPartial(now);
  }

  /** The peer has answered our hello: its stream begins at `start`. */
  welcome(start: StreamPosition, now: number): void {
    if (this.#order !== undefined) return;
    const first = start.sequence > this.#known.sequence ? start : this.#known;
    const reader = new PacketReader(first.number, this.counters, this.#deliver);
    this.#reader = reader;
    const order = new ReorderBuffer(first.sequence, (body) => reader.read(body));
    this.#order = order;
    for (const body of this.#early) this.#insert(order, body, now);
    this.#early = [];
    this.#watchPartial(now);
  }

  /** True if a hello is due; the caller sends it. */
  takeHello(now: number): boolean {
    if (this.#order !== undefined || now < this.#helloAt) return false;
    this.#helloSentAt = now;
    this.#helloAt = now + this.#helloDelayMs;
    this.#helloDelayMs = Math.min(this.#helloDelayMs * 2, HELLO_LONGEST_MS);
    return true;
  }

  /** The peer has just shown that it knows us, so it will answer now. */
  hastenHello(): void {
    this.#helloAt = Math.min(this.#helloAt, this.#helloSentAt + HELLO_FIRST_MS);
  }

  /** Gives up what was waited for long enough. */
  advance(now: number): void {
    this.#order?.advance(now);
    if (this.#partialDeadline > now) return;
    this.#reader?.abandonPartial();
    this.#partialDeadline = Number.POSITIVE_INFINITY;
  }

  /** What to remember when the peer goes offline. */
  retire(): RetiredStream {
    this.#reader?.abandonPartial();
    const position =
      this.#order === undefined || this.#reader === undefined
        ? this.#known
        : { sequence: this.#order.next, number: this.#reader.nextNumber };
    return { window: this.#window, position };
  }

  #insert(order: ReorderBuffer, body: Buffer, now: number): void {
    switch (order.insert(sequenceOf(body), body, now)) {
      case 'early':
        this.counters.reorderedDatagrams += 1;
        break;
      case 'late':
        this.counters.lateDatagrams += 1;
        break;
      case 'duplicate':
        this.counters.duplicateDatagrams += 1;
        break;
    }
  }

  /** Every datagram that comes while a split packet is incomplete gives it more time. */
  #watchPartial(now: number): void {
    const isWaiting = this.#reader?.hasPartial === true;
    this.#partialDeadline = isWaiting ? now + PARTIAL_MS : Number.POSITIVE_INFINITY;
  }
}
