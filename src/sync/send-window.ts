// How much may be under way to one peer: the flow control and congestion control of the sync channel.
// The peer's acks give the room in its socket (flow control); reported losses shrink the window, acks
// without a loss widen it (congestion control: additive increase, multiplicative decrease, RFC 5681). A
// full window delays datagrams at the sender, where -queue-policy decides what is lost, and not a kernel
// buffer. There is no guarantee: a peer that is silent or slow is not waited for.
// Invariant: at most WINDOW_DATAGRAMS_MAX datagrams are recorded, however many are sent.

import { type Ack, kernelBytes } from './ack-codec.ts';
import {
  ACK_INTERVAL_MS,
  ACKS_MISSING_MS,
  ASK_AGAIN_MS,
  SILENT_WINDOW_MS,
  SLOW_PEER_MS,
  WINDOW_BYTES_DEFAULT,
  WINDOW_DATAGRAMS_MAX,
  WINDOW_DATAGRAMS_MIN,
} from './limits.ts';

/** 'silent': the peer has not acknowledged a full window. 'slow': other peers take much more than it does. */
export type WindowState = 'paced' | 'silent' | 'slow';

/** Acks that a window asks for on its way from empty to full, so that the loss of one does not stop it. */
const ACKS_PER_WINDOW = 4;
/** What is left of the window after a loss. */
const DECREASE = 0.7;
/** Part of the window that an ack without a loss adds. */
const INCREASE = 1 / 16;

export class SendWindow {
  #state: WindowState = 'paced';
  /** Sequences and sizes of the datagrams under way, oldest at #head; allocated with the first one. */
  #sequences: Float64Array | undefined;
  #sizes: Float64Array | undefined;
  #head = 0;
  #count = 0;
  #underWayBytes = 0;
  #sinceRequestBytes = 0;
  #sinceRequestDatagrams = 0;
  /** What the peer grants. */
  #grantedBytes = WINDOW_BYTES_DEFAULT;
  /** What the network has been found to carry. */
  #carriedBytes = Number.POSITIVE_INFINITY;
  #datagramBytes = 0;
  #lostDatagrams = 0;
  #lastSequence = 0;
  #ackedSequence = 0;
  /** A loss counts again only behind this datagram, since one jam loses many. */
  #lossUntil = 0;
  /** When the window was first seen full, with no ack since; Infinity while it is not. */
  #fullSince = Number.POSITIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** The last datagram that asked for an ack. */
  #askedSequence = 0;
  /** A datagram may leave although the window is full, since the last ask or its ack may be lost. */
  #mayAskAgain = false;
  /** The first of the asks that no ack has answered. */
  #unansweredSince = Number.POSITIVE_INFINITY;
  #unanswered = 0;
  #slowUntil = 0;

  get state(): WindowState {
    return this.#state;
  }

  /** When the first of the asks was sent that no ack has answered; Infinity if none is awaited. */
  get unansweredSince(): number {
    return this.#unansweredSince;
  }

  /** Sequence of the datagram that was sent last. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** Sequence that the peer has acknowledged last. */
  get ackedSequence(): number {
    return this.#ackedSequence;
  }

  /** As the last ack said. */
  get lostDatagrams(): number {
    return this.#lostDatagrams;
  }

  /** True while another datagram may leave. A full window lets one leave if no ack is awaited: it asks. */
  get isOpen(): boolean {
    if (this.#state !== 'paced' || this.#mayAskAgain || !this.#isFull) return true;
    return this.#askedSequence <= this.#ackedSequence;
  }

  /** When advance() is due, ms; Infinity while nothing is. */
  get deadline(): number {
    if (this.#state !== 'paced') return Number.POSITIVE_INFINITY;
    const silentAt = this.#fullSince + SILENT_WINDOW_MS;
    if (this.#mayAskAgain) return silentAt;
    return Math.min(silentAt, Math.max(this.#fullSince, this.#askedAt) + ASK_AGAIN_MS);
  }

  /** Whether a data datagram of this size, which leaves next, should ask for an ack. */
  wantsAck(datagramBytes: number, now: number): boolean {
    if (now - this.#askedAt >= ACK_INTERVAL_MS || this.#isFull) return true;
    if ((this.#sinceRequestDatagrams + 1) * ACKS_PER_WINDOW >= WINDOW_DATAGRAMS_MAX) return true;
    const bytes = this.#sinceRequestBytes + kernelBytes(datagramBytes);
    return bytes * ACKS_PER_WINDOW >= this.#limitBytes;
  }

  /** Records a data datagram that leaves. @param asks it asks for an ack */
  sent(sequence: number, datagramBytes: number, asks: boolean, now: number): void {
    if (asks) this.#asked(sequence, now);
    if (this.#count === WINDOW_DATAGRAMS_MAX) this.#dropOldest();
    this.#sequences ??= new Float64Array(WINDOW_DATAGRAMS_MAX);
    this.#sizes ??= new Float64Array(WINDOW_DATAGRAMS_MAX);
    const bytes = kernelBytes(datagramBytes);
    const slot = (this.#head + this.#count) % WINDOW_DATAGRAMS_MAX;
    this.#sequences[slot] = sequence;
    this.#sizes[slot] = bytes;
    this.#count += 1;
    this.#underWayBytes += bytes;
    this.#sinceRequestBytes = asks ? 0 : this.#sinceRequestBytes + bytes;
    this.#sinceRequestDatagrams = asks ? 0 : this.#sinceRequestDatagrams + 1;
    this.#datagramBytes = bytes;
    this.#lastSequence = sequence;
  }

  /** A peer that was silent is paced again, and one that was slow after its time. */
  handleAck({ sequence, lostDatagrams, windowBytes }: Ack, now: number): void {
    if (sequence < this.#ackedSequence || sequence > this.#lastSequence) return;
    this.#ackedSequence = sequence;
    this.#unansweredSince = Number.POSITIVE_INFINITY;
    this.#unanswered = 0;
    while (this.#count > 0 && this.#sequences![this.#head]! <= sequence) this.#dropOldest();
    this.#grantedBytes = windowBytes;
    this.#adjust(sequence, lostDatagrams);
    if (this.#state === 'silent' || now >= this.#slowUntil) this.#state = 'paced';
    this.#fullSince = this.#isFull ? now : Number.POSITIVE_INFINITY;
  }

  /** The end of a turn: a window that is full now waits for an ack from now on. */
  turnEnded(now: number): void {
    if (!this.#isFull) this.#fullSince = Number.POSITIVE_INFINITY;
    else if (this.#fullSince === Number.POSITIVE_INFINITY) this.#fullSince = now;
  }

  /** @returns true if the peer has been silent for too long, so that it is no longer waited for */
  advance(now: number): boolean {
    if (now < this.deadline) return false;
    if (now < this.#fullSince + SILENT_WINDOW_MS) {
      this.#mayAskAgain = true;
      return false;
    }
    this.#state = 'silent';
    return true;
  }

  /** Other peers wait for this one, which takes less than half of what they do. */
  release(now: number): void {
    this.#state = 'slow';
    this.#slowUntil = now + SLOW_PEER_MS;
  }

  /** Several datagrams that asked have had no answer for ACKS_MISSING_MS. */
  lacksAcks(now: number): boolean {
    return this.#unanswered > 1 && now - this.#unansweredSince >= ACKS_MISSING_MS;
  }

  #asked(sequence: number, now: number): void {
    this.#askedAt = now;
    this.#askedSequence = sequence;
    this.#mayAskAgain = false;
    this.#unanswered += 1;
    if (this.#unanswered === 1) this.#unansweredSince = now;
  }

  get #isFull(): boolean {
    if (this.#count === 0) return false;
    return this.#underWayBytes >= this.#limitBytes || this.#count >= WINDOW_DATAGRAMS_MAX;
  }

  get #limitBytes(): number {
    const least = WINDOW_DATAGRAMS_MIN * this.#datagramBytes;
    return Math.min(this.#grantedBytes, Math.max(this.#carriedBytes, least));
  }

  #adjust(sequence: number, lostDatagrams: number): void {
    const hasLost = lostDatagrams > this.#lostDatagrams;
    this.#lostDatagrams = lostDatagrams;
    if (hasLost && sequence > this.#lossUntil) {
      this.#lossUntil = this.#lastSequence;
      this.#carriedBytes = this.#limitBytes * DECREASE;
    } else if (!hasLost) {
      this.#carriedBytes += Math.max(this.#datagramBytes, this.#carriedBytes * INCREASE);
    }
    if (this.#carriedBytes >= this.#grantedBytes) this.#carriedBytes = Number.POSITIVE_INFINITY;
  }

  #dropOldest(): void {
    this.#underWayBytes -= this.#sizes![this.#head]!;
    this.#head = (this.#head + 1) % WINDOW_DATAGRAMS_MAX;
    this.#count -= 1;
  }
}
