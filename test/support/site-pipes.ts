// TCP connections between simulated nodes, for the bulk channel: bytes arrive in order after a delay; a cut, a
// kill or a close ends both ends. Virtual time.

import type { BulkEvents, BulkStream } from '../../src/sync/bulk-link.ts';

/** One end: its node, and whether that node can be reached. */
export interface PipeEnd {
  readonly isUp: boolean;
  /** Runs an event at the node, later if its process is stalled. */
  deliver(work: () => void): void;
}

export interface PipeNetwork {
  readonly now: number;
  at(ms: number, work: () => void): void;
  connects(from: PipeEnd, to: PipeEnd): boolean;
}

/** What a connection takes before its sender has to wait. */
const WINDOW_BYTES = 262_144;
const DELAY_MS = 1;

/** Opens a connection to `to`; a node that is not there refuses it. */
export function openPipe(
  network: PipeNetwork,
  from: PipeEnd,
  to: PipeEnd | undefined,
  accept: (stream: BulkStream) => BulkEvents,
  events: BulkEvents,
): BulkStream {
  if (to === undefined) {
    network.at(DELAY_MS, () => from.deliver(() => events.closed('refused', network.now)));
    return { write: () => true, close: () => undefined };
  }
  const pipe = new Pipe(network, from, to, events);
  pipe.open(accept);
  return pipe.stream(0);
}

class Pipe {
  readonly #network: PipeNetwork;
  readonly #ends: readonly [PipeEnd, PipeEnd];
  readonly #events: [BulkEvents | undefined, BulkEvents | undefined];
  readonly #waiting = [0, 0];
  readonly #arrival = [0, 0];
  #isOpen = true;

  constructor(network: PipeNetwork, from: PipeEnd, to: PipeEnd, events: BulkEvents) {
    this.#network = network;
    this.#ends = [from, to];
    this.#events = [events, undefined];
  }

  open(accept: (stream: BulkStream) => BulkEvents): void {
    this.#carry(0, () => {
      this.#events[1] = accept(this.stream(1));
      this.#carry(1, () => this.#events[0]?.opened(this.#network.now));
    });
  }

  stream(side: 0 | 1): BulkStream {
    return {
      write: (bytes) => {
        this.#waiting[side]! += bytes.length;
        const copy = Buffer.from(bytes);
        this.#carry(side, () => this.#arrive(side, copy));
        return this.#waiting[side]! <= WINDOW_BYTES;
      },
      close: () => {
        this.#events[side] = undefined;
        this.#carry(side, () => this.#end('closed'));
      },
    };
  }

  #arrive(side: 0 | 1, bytes: Buffer): void {
    const wasFull = this.#waiting[side]! > WINDOW_BYTES;
    this.#waiting[side]! -= bytes.length;
    this.#events[other(side)]?.received(bytes, this.#network.now);
    if (!wasFull || this.#waiting[side]! > WINDOW_BYTES) return;
    this.#ends[side].deliver(() => this.#events[side]?.drained(this.#network.now));
  }

  /** Something crosses from one side; where it can't, the connection is lost. */
  #carry(side: 0 | 1, work: () => void): void {
    const { now } = this.#network;
    const arrival = Math.max(now + DELAY_MS, this.#arrival[side]!);
    this.#arrival[side] = arrival;
    const [from, to] = [this.#ends[side], this.#ends[other(side)]];
    this.#network.at(arrival - now, () => {
      if (!this.#isOpen) return;
      const isCut = !this.#network.connects(from, to) || !this.#network.connects(to, from);
      if (isCut) this.#end('the connection was lost');
      else to.deliver(work);
    });
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const side of [0, 1] as const) {
      const events = this.#events[side];
      if (events === undefined) continue;
      this.#ends[side].deliver(() => events.closed(reason, this.#network.now));
    }
  }
}

function other(side: 0 | 1): 0 | 1 {
  return side === 0 ? 1 : 0;
}
