// The incoming half of one peer under one boot id. Until the peer has answered this node's hello with
// a welcome, this node doesn't know where the peer's stream begins for it, and a recording could be
// replayed to it after a restart. So data waits for the welcome, or is dropped when there is no more
// room. From then on datagrams pass the replay window, are put in order and read.
// Invariants: no packet is delivered twice, out of order, or from before the welcome's position;
// memory is bounded by HOLD_DATAGRAMS datagrams and one packet.

import { ReplayWindow } from '../shared/replay-window.ts';
import { firstNumberOf, type StreamPosition, sequenceOf } from './body-codec.ts';
import type { PeerCounters } from './counters.ts';
import { HELLO_FIRST_MS, HELLO_LONGEST_MS, HOLD_DATAGRAMS, HOLD_MS, PARTIAL_MS } from './limits.ts';
import { PacketReader, type PeerPublishHandler, type Sender } from './packet-reader.ts';
import { ReorderBuffer } from './reorder-buffer.ts';

/** Retained of a peer that is offline, in case it returns under the same boot id. */
export interface RetiredStream {
  readonly window: ReplayWindow;
  readonly position: StreamPosition;
}

/** What has arrived of a peer's stream; sent to the peer in heartbeats. */
export interface StreamReport {
  /** Sequence up to which the datagrams have arrived or are lost. */
  readonly settledSequence: number;
  readonly lostDatagrams: number;
  /** Number of the next packet to begin; 0 before the welcome. */
  readonly expectedNumber: number;
  readonly lostMessages: number;
}

export interface StreamOptions {
  readonly sender: Sender;
  readonly counters: PeerCounters;
  /** Random, 8 bytes. */
  readonly nonce: Buffer;
  /** Position of the first datagram that is sent to this peer. */
  readonly outgoingStart: StreamPosition;
  /** Retained when this peer was offline before. */
  readonly retired: RetiredStream | undefined;
  readonly handler: PeerPublishHandler;
  readonly now: number;
}

/** A repeated envelope counter within this distance is a duplicate; older datagrams are late. */
const REPEAT_SPAN = 992;
/** Data may overtake a heartbeat by less than this. */
const OVERTAKING_MS = 200;

export class PeerStream {
  readonly counters: PeerCounters;
  /** The nonce that the peer's welcome must echo. */
  nonce: Buffer;
  readonly outgoingStart: StreamPosition;
  readonly #sender: Sender;
  /** Losses counted before this stream. */
  readonly #lostDatagramsBefore: number;
  readonly #lostMessagesBefore: number;
  #window: ReplayWindow;
  /** Position reached before the peer went offline. */
  readonly #resumeAt: StreamPosition;
  readonly #handler: PeerPublishHandler;
  #reader: PacketReader | undefined;
  #order: ReorderBuffer | undefined;
  /** Data bodies that wait for the welcome. */
  #early: Buffer[] = [];
  #helloAt: number;
  #helloSentAt = Number.NEGATIVE_INFINITY;
  #helloDelayMs = HELLO_FIRST_MS;
  #hellosSent = 0;
  #isAsking = true;
  /** The counters began anew: so does the stream, at the next position that the peer shows. */
  #isRestarting = false;
  /** Where the stream was at an earlier announcement, and when that was. */
  #reached: StreamPosition = { sequence: 0, number: 0 };
  #reachedAt = Number.NEGATIVE_INFINITY;
  #partialDeadline = Number.POSITIVE_INFINITY;
  /** Position that a heartbeat has announced and that the datagrams have not reached. */
  #announced: StreamPosition | undefined;
  #announcedDeadline = Number.POSITIVE_INFINITY;

  constructor(options: StreamOptions) {
    this.#sender = options.sender;
    this.counters = options.counters;
    this.nonce = options.nonce;
    this.outgoingStart = options.outgoingStart;
    this.#lostDatagramsBefore = options.counters.lostDatagrams;
    this.#lostMessagesBefore = options.counters.lostMessages;
    this.#window = options.retired?.window ?? new ReplayWindow();
    this.#resumeAt = options.retired?.position ?? { sequence: 1, number: 1 };
    this.#handler = options.handler;
    this.#helloAt = options.now;
  }

  /** True once the peer has answered this node's hello, so that its messages are accepted. */
  get isWelcome(): boolean {
    return this.#order !== undefined;
  }

  /** When advance() is due, ms. */
  get deadline(): number {
    const helloAt = this.#isAsking ? this.#helloAt : Number.POSITIVE_INFINITY;
    if (this.#order === undefined) return helloAt;
    const orderAt = Math.min(this.#order.deadline, helloAt);
    return Math.min(orderAt, this.#partialDeadline, this.#announcedDeadline);
  }

  /** True while a welcome is awaited. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Whether an envelope counter is too old to know whether it came before. */
  isPast(counter: number): boolean {
    return this.#window.isPast(counter);
  }

  /** Asks for another welcome, with hellos from now on. The stream goes on meanwhile. */
  askAgain(nonce: Buffer, now: number): void {
    this.nonce = nonce;
    this.#isAsking = true;
    this.#hellosSent = 0;
    this.#helloAt = now;
    this.#helloDelayMs = HELLO_FIRST_MS;
  }

  /** Begins the envelope counters anew after this one, and the stream with the next position. */
  restart(counter: number): void {
    this.#window = new ReplayWindow();
    this.#window.accept(counter);
    this.#isRestarting = true;
  }

  /** Records the envelope counter of an authentic datagram. @returns false for a duplicate or late one */
  isFresh(counter: number): boolean {
    if (this.#window.accept(counter)) return true;
    if (this.#window.highest - counter < REPEAT_SPAN) this.counters.duplicateDatagrams += 1;
    else this.counters.lateDatagrams += 1;
    return false;
  }

  /** @param body a data body; retained while it waits */
  receive(body: Buffer, now: number): void {
    if (this.#order === undefined) {
      if (this.#early.length < HOLD_DATAGRAMS) this.#early.push(body);
      else this.counters.earlyDropped += 1;
      return;
    }
    if (this.#isRestarting)
      this.#begin({ sequence: sequenceOf(body), number: firstNumberOf(body) });
    this.#insert(this.#order, body, now);
    this.#watchPartial(now);
  }

  /** Handles the peer's answer to this node's hello: its stream begins at `start`. */
  welcome(start: StreamPosition, now: number): void {
    this.#isAsking = false;
    if (this.#order !== undefined) return;
    const order = this.#begin(start.sequence >= this.#resumeAt.sequence ? start : this.#resumeAt);
    for (const body of this.#early) this.#insert(order, body, now);
    this.#early = [];
    this.#watchPartial(now);
  }

  isHelloDue(now: number): boolean {
    return this.#isAsking && now >= this.#helloAt;
  }

  /** The next hello is not due before that time. */
  postponeHello(until: number): void {
    this.#helloAt = until;
  }

  helloSent(now: number): void {
    this.#helloSentAt = now;
    this.#helloAt = now + this.#helloDelayMs;
    this.#helloDelayMs = Math.min(this.#helloDelayMs * 2, HELLO_LONGEST_MS);
    this.#hellosSent += 1;
  }

  /** Makes the next hello due soon, because the peer has just shown that it knows this node. */
  expediteHello(): void {
    this.#helloAt = Math.min(this.#helloAt, this.#helloSentAt + HELLO_FIRST_MS);
  }

  /** How many hellos have been sent. */
  get hellosSent(): number {
    return this.#hellosSent;
  }

  /** What has arrived so far. */
  get report(): StreamReport {
    return {
      settledSequence: this.#order === undefined ? 0 : this.#order.next - 1,
      lostDatagrams: this.counters.lostDatagrams - this.#lostDatagramsBefore,
      expectedNumber: this.#reader?.nextNumber ?? 0,
      lostMessages: this.counters.lostMessages - this.#lostMessagesBefore,
    };
  }

  /**
   * Handles the peer's word that it has sent everything before `position`. What does not arrive
   * within HOLD_MS is lost, even if nothing follows it.
   */
  announce(position: StreamPosition, now: number): void {
    if (this.#order === undefined || this.#reader === undefined) return;
    const isDue = now - this.#reachedAt >= OVERTAKING_MS;
    const { sequence, number } = this.#reached;
    // A stream that was ahead of what the peer has sent since is a forged one.
    const isForged = isDue && (position.sequence < sequence || position.number < number);
    if (this.#isRestarting || isForged) this.#begin(position);
    if (isDue) {
      this.#reached = { sequence: this.#order.next, number: this.#reader.nextNumber };
      this.#reachedAt = now;
    }
    if (this.#announced !== undefined) return;
    this.#announced = position;
    if (this.#order.next >= position.sequence) this.#settleAnnounced(now);
    else this.#announcedDeadline = now + HOLD_MS;
  }

  /** Skips gaps and discards an incomplete packet after their time. */
  advance(now: number): void {
    this.#order?.advance(now);
    if (this.#announcedDeadline <= now) this.#settleAnnounced(now);
    if (this.#partialDeadline > now) return;
    this.#reader?.abandonPartial();
    this.#partialDeadline = Number.POSITIVE_INFINITY;
  }

  /** Ends the stream because the peer is offline. @returns what to retain for its return */
  retire(): RetiredStream {
    this.#reader?.abandonPartial();
    const position =
      this.#order === undefined || this.#reader === undefined
        ? this.#resumeAt
        : { sequence: this.#order.next, number: this.#reader.nextNumber };
    return { window: this.#window, position };
  }

  /** Begins the stream at this position, without anything that came before. */
  #begin(first: StreamPosition): ReorderBuffer {
    this.#isRestarting = false;
    this.#announced = undefined;
    this.#announcedDeadline = Number.POSITIVE_INFINITY;
    this.#reader?.abandonPartial();
    this.#reader = new PacketReader(first.number, this.counters, this.#sender, this.#handler);
    this.#order = new ReorderBuffer(first.sequence, this.#reader, this.counters);
    return this.#order;
  }

  #settleAnnounced(now: number): void {
    const position = this.#announced;
    this.#announced = undefined;
    this.#announcedDeadline = Number.POSITIVE_INFINITY;
    if (position === undefined || this.#order === undefined) return;
    if (this.#order.next < position.sequence) this.#order.skipTo(position.sequence, now);
    this.#reader?.skipTo(position.number);
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

  /** Restarts the time of an incomplete packet with every datagram that arrives. */
  #watchPartial(now: number): void {
    const isWaiting = this.#reader?.hasPartial === true;
    this.#partialDeadline = isWaiting ? now + PARTIAL_MS : Number.POSITIVE_INFINITY;
  }
}
