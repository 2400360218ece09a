// Puts one sender's data datagrams back in order. A datagram that comes early waits until those
// before it have come, at most HOLD_MS and at most HOLD_DATAGRAMS places ahead; then the gap is
// given up and what comes for it later is late. Knows nothing of what the datagrams hold.
// Invariant: `release` sees strictly increasing sequences.

import { HOLD_DATAGRAMS, HOLD_MS } from './limits.ts';

export type Arrival = 'inOrder' | 'early' | 'late' | 'duplicate';

export class ReorderBuffer {
  readonly #bodies: (Buffer | undefined)[] = new Array(HOLD_DATAGRAMS).fill(undefined);
  readonly #arrivedAt = new Float64Array(HOLD_DATAGRAMS);
  readonly #release: (body: Buffer) => void;
  #next: number;
  #held = 0;
  /** When the oldest of those held gives up waiting; Infinity while none is held. */
  #deadline = Number.POSITIVE_INFINITY;

  /** @param first sequence that is released first */
  constructor(first: number, release: (body: Buffer) => void) {
    this.#next = first;
    this.#release = release;
  }

  /** Sequence that is awaited. */
  get next(): number {
    return this.#next;
  }

  get deadline(): number {
    return this.#deadline;
  }

  /** @param body kept, if it is early, until it is released */
  insert(sequence: number, body: Buffer, now: number): Arrival {
    if (sequence === this.#next) {
      this.#next += 1;
      this.#release(body);
      if (this.#held > 0) this.#releaseReady();
      return 'inOrder';
    }
    if (sequence < this.#next) return 'late';
    if (sequence >= this.#next + HOLD_DATAGRAMS) this.#skipTo(sequence - HOLD_DATAGRAMS + 1);
    if (sequence === this.#next) return this.insert(sequence, body, now);
    const slot = sequence % HOLD_DATAGRAMS;
    if (this.#bodies[slot] !== undefined) return 'duplicate';
    this.#bodies[slot] = body;
    this.#arrivedAt[slot] = now;
    this.#held += 1;
    if (this.#held === 1) this.#deadline = now + HOLD_MS;
    return 'early';
  }

  /** Gives up the gaps that were waited for long enough. */
  advance(now: number): void {
    while (this.#held > 0 && this.#deadline <= now) {
      while (this.#bodies[this.#next % HOLD_DATAGRAMS] === undefined) this.#next += 1;
      this.#releaseReady();
    }
  }

  /** Releases what is held below `target`; the rest of it is given up. */
  #skipTo(target: number): void {
    while (this.#next < target && this.#held > 0) {
      if (this.#bodies[this.#next % HOLD_DATAGRAMS] === undefined) this.#next += 1;
      else this.#releaseReady();
    }
    if (this.#next < target) this.#next = target;
    else this.#releaseReady();
  }

  /** Releases those held from #next on up to the next gap. */
  #releaseReady(): void {
    for (;;) {
      const slot = this.#next % HOLD_DATAGRAMS;
      const body = this.#bodies[slot];
      if (body === undefined) break;
      this.#bodies[slot] = undefined;
      this.#held -= 1;
      this.#next += 1;
      this.#release(body);
    }
    this.#deadline = this.#oldestArrival() + HOLD_MS;
  }

  #oldestArrival(): number {
    let oldest = Number.POSITIVE_INFINITY;
    if (this.#held === 0) return oldest;
    for (let slot = 0; slot < HOLD_DATAGRAMS; slot++) {
      const arrivedAt = this.#arrivedAt[slot]!;
      if (this.#bodies[slot] !== undefined && arrivedAt < oldest) oldest = arrivedAt;
    }
    return oldest;
  }
}
