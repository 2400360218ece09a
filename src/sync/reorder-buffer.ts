// Puts one sender's data datagrams back in order. A datagram that arrives early is held until the
// missing ones before it arrive, for HOLD_MS at most and for HOLD_DATAGRAMS sequence numbers at most.
// Then the gap is skipped, and a datagram that arrives for it later is late. Knows nothing of the
// content of a datagram.
// Invariant: `reader` gets bodies with strictly increasing sequences.

import { HOLD_DATAGRAMS, HOLD_MS } from './limits.ts';

/** Where a datagram belongs among those that have already arrived. */
export type Placement = 'inOrder' | 'early' | 'late' | 'duplicate';

/** Takes the bodies in order. */
export interface BodyReader {
  /** @param body valid during the call only */
  read(body: Buffer, now: number): void;
}

/** Counts the datagrams that did not arrive in time. */
export interface DatagramLossCounter {
  lostDatagrams: number;
}

export class ReorderBuffer {
  readonly #bodies: (Buffer | undefined)[] = new Array(HOLD_DATAGRAMS).fill(undefined);
  readonly #arrivedAt = new Float64Array(HOLD_DATAGRAMS);
  readonly #reader: BodyReader;
  #next: number;
  readonly #counters: DatagramLossCounter;
  #held = 0;
  /** When the gap before the datagram that has been held longest is skipped; Infinity without one. */
  #deadline = Number.POSITIVE_INFINITY;

  /** @param first the first sequence to pass on */
  constructor(first: number, reader: BodyReader, counters: DatagramLossCounter) {
    this.#next = first;
    this.#reader = reader;
    this.#counters = counters;
  }

  /** The next sequence to pass on. */
  get next(): number {
    return this.#next;
  }

  /** When advance() is due, ms; Infinity while no datagram is held. */
  get deadline(): number {
    return this.#deadline;
  }

  /** @param body an early one is retained until its turn */
  insert(sequence: number, body: Buffer, now: number): Placement {
    if (sequence === this.#next) {
      this.#next += 1;
      this.#reader.read(body, now);
      if (this.#held > 0) this.#releaseReady(now);
      return 'inOrder';
    }
    if (sequence < this.#next) return 'late';
    if (sequence >= this.#next + HOLD_DATAGRAMS) this.skipTo(sequence - HOLD_DATAGRAMS + 1, now);
    if (sequence === this.#next) return this.insert(sequence, body, now);
    const slot = sequence % HOLD_DATAGRAMS;
    if (this.#bodies[slot] !== undefined) return 'duplicate';
    this.#bodies[slot] = body;
    this.#arrivedAt[slot] = now;
    this.#held += 1;
    if (this.#held === 1) this.#deadline = now + HOLD_MS;
    return 'early';
  }

  /** Skips the gaps that have lasted for HOLD_MS. */
  advance(now: number): void {
    while (this.#held > 0 && this.#deadline <= now) {
      while (this.#bodies[this.#next % HOLD_DATAGRAMS] === undefined) this.#skip(this.#next + 1);
      this.#releaseReady(now);
    }
  }

  /** Passes on what is held below `target` and skips the gaps below it. */
  skipTo(target: number, now: number): void {
    while (this.#next < target && this.#held > 0) {
      if (this.#bodies[this.#next % HOLD_DATAGRAMS] === undefined) this.#skip(this.#next + 1);
      else this.#releaseReady(now);
    }
    if (this.#next < target) this.#skip(target);
    else this.#releaseReady(now);
  }

  /** Counts the datagrams from #next up to `target` as lost. */
  #skip(target: number): void {
    this.#counters.lostDatagrams += target - this.#next;
    this.#next = target;
  }

  /** Passes on the held datagrams from #next up to the next gap. */
  #releaseReady(now: number): void {
    for (;;) {
      const slot = this.#next % HOLD_DATAGRAMS;
      const body = this.#bodies[slot];
      if (body === undefined) break;
      this.#bodies[slot] = undefined;
      this.#held -= 1;
      this.#next += 1;
      this.#reader.read(body, now);
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
