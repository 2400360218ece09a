// The way of large messages to one peer: a connection that this node opens and a bounded queue for it. Does
// no I/O: the port opens connections, and brings the time with every event.
// Invariant: a peer that takes nothing costs its own queue only, and a connection that failed is opened
// again after a pause that grows.

import type { Peer } from '../shared/peer.ts';
import { encodeHello } from './bulk-codec.ts';

/** Bytes that wait for one peer. */
export const BULK_QUEUE_BYTES_MAX = 32 * 1024 * 1024;
/** A connection that takes no bytes for this time has failed, ms. */
export const BULK_STALL_MS = 30_000;
const DIAL_PAUSE_MS_MIN = 500;
const DIAL_PAUSE_MS_MAX = 15_000;

/** One connection. After close() no event follows. */
export interface BulkStream {
  /** @returns false if drained() has to come before more is written */
  write(bytes: Buffer): boolean;
  close(): void;
}

/** What happens to a connection. None of these is called before dial() or accept() returns. */
export interface BulkEvents {
  /** It is encrypted, and the peer has proved that it has the token. */
  opened(now: number): void;
  /** @param chunk belongs to the callee */
  received(chunk: Buffer, now: number): void;
  drained(now: number): void;
  /** It has ended. @param reason for the log */
  closed(reason: string, now: number): void;
}

export interface BulkFailure {
  /** ms of the monotonic clock. */
  readonly since: number;
  readonly reason: string;
}

export interface BulkLinkPort {
  dial(peer: Peer, events: BulkEvents): BulkStream;
  opened(link: BulkLink, now: number): void;
  /** @param lost frames that were waiting */
  failed(link: BulkLink, reason: string, lost: number, now: number): void;
  /** The queue is empty. */
  idle(link: BulkLink, now: number): void;
}

export class BulkLink implements BulkEvents {
  peer: Peer;
  isOpen = false;
  queuedBytes = 0;
  readonly #bootId: bigint;
  readonly #port: BulkLinkPort;
  #stream: BulkStream | undefined;
  #queue: Buffer[] = [];
  #isBlocked = false;
  /** Since when the peer is not reached, and why; undefined while it is, or was not tried yet. */
  #failure: BulkFailure | undefined;
  /** Since when the connection is open. */
  #openSince = 0;
  #pauseMs = DIAL_PAUSE_MS_MIN;
  /** When the next connection is opened, or the one that is blocked fails. */
  #deadline: number;

  get failure(): BulkFailure | undefined {
    return this.#failure;
  }

  get openSince(): number | undefined {
    return this.isOpen ? this.#openSince : undefined;
  }

  /** @param bootId of this node */
  constructor(peer: Peer, bootId: bigint, port: BulkLinkPort, now: number) {
    this.peer = peer;
    this.#bootId = bootId;
    this.#port = port;
    this.#deadline = now;
  }

  advance(now: number): void {
    if (now < this.#deadline) return;
    if (this.#stream === undefined) {
      this.#deadline = Number.POSITIVE_INFINITY;
      this.#stream = this.#port.dial(this.peer, this);
    } else {
      this.#stream.close();
      this.closed('the peer takes no bytes', now);
    }
  }

  /** The peer reaches us: it is worth trying now, and not after the pause. */
  hurry(now: number): void {
    if (this.#stream !== undefined) return;
    this.#deadline = now;
    this.advance(now);
  }

  /**
   * A frame waits while the first connection is being opened.
   * @param frame must not change afterwards
   * @returns false if there is no room, or the peer is not reached
   */
  send(frame: Buffer, now: number): boolean {
    if (this.#failure !== undefined || this.queuedBytes + frame.length > BULK_QUEUE_BYTES_MAX)
      return false;
    this.#queue.push(frame);
    this.queuedBytes += frame.length;
    this.#flush(now);
    return true;
  }

  close(): void {
    this.isOpen = false;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#stream?.close();
    this.#stream = undefined;
  }

  opened(now: number): void {
    this.isOpen = true;
    this.#openSince = now;
    this.#failure = undefined;
    this.#pauseMs = DIAL_PAUSE_MS_MIN;
    this.#stream?.write(encodeHello({ from: this.#bootId, to: this.peer.bootId }));
    this.#port.opened(this, now);
    this.#flush(now);
  }

  /** Peers answer on connections of their own. */
  received(): void {}

  drained(now: number): void {
    this.#isBlocked = false;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#flush(now);
  }

  closed(reason: string, now: number): void {
    const lost = this.#queue.length;
    this.#stream = undefined;
    this.isOpen = false;
    this.#failure = { since: this.#failure?.since ?? now, reason };
    this.#isBlocked = false;
    this.#queue = [];
    this.queuedBytes = 0;
    this.#deadline = now + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, DIAL_PAUSE_MS_MAX);
    this.#port.failed(this, reason, lost, now);
  }

  #flush(now: number): void {
    while (this.isOpen && !this.#isBlocked && this.#stream !== undefined) {
      const frame = this.#queue.shift();
      if (frame === undefined) return;
      this.queuedBytes -= frame.length;
      if (!this.#stream.write(frame)) {
        this.#isBlocked = true;
        this.#deadline = now + BULK_STALL_MS;
      }
      if (this.#queue.length === 0) this.#port.idle(this, now);
    }
  }
}
