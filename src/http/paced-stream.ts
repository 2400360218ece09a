// A connection as node:http reads it: a little in each turn of the event loop. By itself node:http makes requests of
// all that a read of 64 KiB holds, some thousands, before any of them can be refused, and no client is served meanwhile.
// Invariants: bytes keep their order; the ends of both sides, and their errors, are passed on.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TurnQueue } from '../shared/turn-queue.ts';

/** The head of a usual request; of the shortest requests a hundred. */
const READ_BYTES = 2048;

export class PacedStream extends Duplex {
  readonly #socket: Socket;
  readonly #turns: TurnQueue;
  #isWanted = false;
  #isWaiting = false;

  /** @param turns of all connections of the server: one read is 1 of the budget */
  constructor(socket: Socket, turns: TurnQueue) {
    super();
    this.#socket = socket;
    this.#turns = turns;
    socket.on('readable', () => this.#wait());
    socket.on('end', () => this.push(null));
    socket.on('timeout', () => this.emit('timeout'));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms);
    return this;
  }

  /** node:http calls it behind its last response: after end() alone a client could keep its side open for ever. */
  destroySoon(): void {
    this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** @returns 0 if it was closed meanwhile */
  readonly #readSome = (): number => {
    this.#isWaiting = false;
    if (this.destroyed) return 0;
    const bytes = Math.min(READ_BYTES, this.#socket.readableLength);
    this.#isWanted = false;
    this.push(this.#socket.read(bytes));
    return 1;
  };

  #wait(): void {
    if (!this.#isWanted || this.#isWaiting) return;
    if (this.#socket.readableLength === 0) {
      // At the end this makes the socket emit it.
      this.#socket.read(0);
      return;
    }
    this.#isWaiting = true;
    this.#turns.add(this.#readSome);
  }

  override _read(): void {
    this.#isWanted = true;
    this.#wait();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void) {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
