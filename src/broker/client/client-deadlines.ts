// The deadlines of one connection: for its CONNECT, for the answer to it, for its Keep Alive (MQTT 5.0 3.1.2.10), for the
// expiry of its authentication, and for a packet that a rate delays.
// Invariant: after stop() none of them comes due.

import type { Deadline, DeadlineQueue } from '../deadline-queue.ts';

const KEEP_ALIVE_FACTOR = 1.5;

/** Whose silence the Keep Alive bounds. */
export interface KeepAliveOwner {
  /** True while the broker does not read, so that no packet can arrive. */
  readonly isPaused: boolean;
  keepAliveTimeout(): void;
}

export class ClientDeadlines {
  lastReceivedAt: number;
  readonly #queue: DeadlineQueue;
  /** First for CONNECT, then for CONNACK, then for Keep Alive. */
  #silence: Deadline | undefined;
  #expiry: Deadline | undefined;
  #slowed: Deadline | undefined;
  #silenceMs = 0;

  constructor(queue: DeadlineQueue, now: number) {
    this.#queue = queue;
    this.lastReceivedAt = now;
  }

  awaitConnect(at: number, late: () => void): void {
    this.#silence = this.#queue.schedule(at, late);
  }

  /** CONNECT has arrived. */
  awaitAnswer(at: number, late: () => void): void {
    this.#queue.cancel(this.#silence);
    this.#silence = this.#queue.schedule(at, late);
  }

  /** @param seconds 0: none */
  keepAlive(seconds: number, owner: KeepAliveOwner): void {
    this.#queue.cancel(this.#silence);
    this.#silence = undefined;
    if (seconds === 0) return;
    this.#silenceMs = seconds * 1000 * KEEP_ALIVE_FACTOR;
    this.#watch(owner);
  }

  /** One deadline for each connection. It moves only when it comes due, not with every packet. */
  #watch(owner: KeepAliveOwner): void {
    this.#silence = this.#queue.schedule(this.lastReceivedAt + this.#silenceMs, (now) => {
      if (owner.isPaused) this.lastReceivedAt = now;
      if (this.lastReceivedAt + this.#silenceMs > now) this.#watch(owner);
      else owner.keepAliveTimeout();
    });
  }

  expire(at: number, run: () => void): void {
    this.#expiry = this.#queue.schedule(at, run);
  }

  /** One at a time. */
  slow(until: number, run: () => void): void {
    this.#slowed = this.#queue.schedule(until, run);
  }

  stop(): void {
    this.#queue.cancel(this.#slowed);
    this.#queue.cancel(this.#silence);
    this.#queue.cancel(this.#expiry);
  }
}
