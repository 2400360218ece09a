// Shares the turns of the event loop among WebSockets that send very many frames: ws takes all frames of a
// read apart at once, and the system hands out many reads of one connection in one turn. A connection whose
// read had more than a few frames is paused and waits here. Knows neither frames nor sockets.
// Invariant: connections read on in the order in which they came, each after it has waited one turn.

import { Fifo } from '../../shared/fifo.ts';

/** A connection that is not read meanwhile. */
export interface FrameReader {
  readOn(): void;
}

/** Of one read, without a wait: some 20 microseconds. */
export const FRAMES_AT_ONCE = 100;
/** Of all connections that read on in one turn: some 1 ms. The last one may bring more. */
const FRAMES_PER_TURN = 5_000;

export class FrameQueue {
  readonly #waiting = new Fifo<{ readonly reader: FrameReader; readonly frames: number }>();
  #isScheduled = false;

  /** @param frames of its last read: its next one is expected to have as many */
  add(reader: FrameReader, frames: number): void {
    this.#waiting.push({ reader, frames });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#readSome);
  }

  readonly #readSome = (): void => {
    this.#isScheduled = false;
    const waiting = this.#waiting;
    let framesLeft = FRAMES_PER_TURN;
    for (let due = waiting.size; due > 0 && framesLeft > 0; due--) {
      const { reader, frames } = waiting.shift()!;
      framesLeft -= frames;
      reader.readOn();
    }
    if (waiting.size > 0) this.#schedule();
  };
}

/** Of all WebSockets of the process. */
export const frameQueue = new FrameQueue();
