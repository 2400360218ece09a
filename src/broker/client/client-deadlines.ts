// What ends a connection by time: a CONNECT that does not come, a client that says nothing for too
// long (MQTT 5.0 3.1.2.10), an authentication that runs out.
// Invariant: after stop() nothing of it comes due.

import type { Deadline, DeadlineQueue } from '../deadline-queue.ts';

const KEEP_ALIVE_FACTOR = 1.5;

export class ClientDeadlines {
  lastReceivedAt: number;
  readonly #queue: DeadlineQueue;
  /** For CONNECT first, then for Keep Alive. */
  #silence: Deadline | undefined;
  #expiry: Deadline | undefined;

  constructor(queue: DeadlineQueue, now: number) {
    this.#queue = queue;
    this.lastReceivedAt = now;
  }

  awaitConnect(at: number, late: () => void): void {
    this.#silence = this.#queue.schedule(at, late);
  }

  connectCame(): void {
    this.#queue.cancel(this.#silence);
  }

  /** @param isHeld true while it is us who don't read, so that nothing can come */
  keepAlive(seconds: number, isHeld: () => boolean, late: () => void): void {
    if (seconds === 0) return;
    const silenceMs = seconds * 1000 * KEEP_ALIVE_FACTOR;
    // One deadline for each connection, moved only when it comes due.
    const watch = (at: number): void => {
      this.#silence = this.#queue.schedule(at, (now) => {
        if (isHeld()) this.lastReceivedAt = now;
        const due = this.lastReceivedAt + silenceMs;
        if (due > now) watch(due);
        else late();
      });
    };
    watch(this.lastReceivedAt + silenceMs);
  }

  expire(at: number, run: () => void): void {
    this.#expiry = this.#queue.schedule(at, run);
  }

  stop(): void {
    this.#queue.cancel(this.#silence);
    this.#queue.cancel(this.#expiry);
  }
}
