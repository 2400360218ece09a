// Serves the new connections of one listener at a limited rate (-connect-rate). What comes faster
// waits unread; addresses take turns, so that a flood from one of them delays only itself.
// Invariant: the sockets that wait are bounded; beyond the bound, the newest one of the address with
// the most is dropped.

import type { Socket } from 'node:net';
import { type Rate, RateMeter } from '../../broker/rate-meter.ts';
import { sourceOf } from '../../shared/ip-address.ts';

/** Each may hold some kilobytes that Node has read. */
const ACCEPTS_WAITING_MAX = 512;

interface Waiting {
  readonly socket: Socket;
  readonly serve: () => void;
  readonly drop: () => void;
}

export class AcceptQueue {
  rate: Rate = { perSecond: Number.POSITIVE_INFINITY, burstMs: 0 };
  readonly #meter = new RateMeter();
  readonly #now: () => number;
  /** By address, in the order of their turns; no list is empty. */
  readonly #bySource = new Map<string, Waiting[]>();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param now monotonic clock, in ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Sockets that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Calls `serve` or `drop` once, now or later; neither if the socket ends before. `drop` has to
   * destroy the socket.
   * @returns whether the socket has to wait
   */
  admit(socket: Socket, serve: () => void, drop: () => void): boolean {
    const now = this.#now();
    if (this.#waiting === 0 && this.#meter.waitMs(this.rate, now) === 0) {
      this.#meter.charge(1, this.rate, now);
      serve();
      return false;
    }
    const source = sourceOf(socket.remoteAddress ?? '');
    const waiting = { socket, serve, drop };
    if (this.#waiting >= ACCEPTS_WAITING_MAX && !this.#makeRoom(source)) {
      drop();
      return true;
    }
    this.#waiting += 1;
    const queued = this.#bySource.get(source);
    if (queued === undefined) this.#bySource.set(source, [waiting]);
    else queued.push(waiting);
    socket.once('close', () => this.#remove(source, waiting));
    this.#arm();
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const queued of this.#bySource.values()) for (const { socket } of queued) socket.destroy();
  }

  /** Drops the newest socket of the address with the most, unless that is the caller's. */
  #makeRoom(source: string): boolean {
    const own = this.#bySource.get(source);
    let longest = own ?? [];
    for (const queued of this.#bySource.values()) {
      if (queued.length > longest.length + 1) longest = queued;
    }
    const last = longest === own ? undefined : longest.pop();
    if (last === undefined) return false;
    this.#waiting -= 1;
    last.drop();
    return true;
  }

  #remove(source: string, waiting: Waiting): void {
    const queued = this.#bySource.get(source);
    const index = queued?.indexOf(waiting) ?? -1;
    if (queued === undefined || index === -1) return;
    queued.splice(index, 1);
    if (queued.length === 0) this.#bySource.delete(source);
    this.#waiting -= 1;
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#waiting === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#serveDue();
        this.#arm();
      },
      Math.ceil(this.#meter.waitMs(this.rate, this.#now())),
    );
  }

  #serveDue(): void {
    const now = this.#now();
    while (this.#waiting > 0 && this.#meter.waitMs(this.rate, now) === 0) {
      const [turn] = this.#bySource;
      if (turn === undefined) return;
      const [source, queued] = turn;
      // The address takes its next turn after all others.
      this.#bySource.delete(source);
      const next = queued.shift();
      if (queued.length > 0) this.#bySource.set(source, queued);
      this.#waiting -= 1;
      this.#meter.charge(1, this.rate, now);
      next?.serve();
    }
  }
}
