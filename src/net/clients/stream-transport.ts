// Any duplex stream of Node as a Transport: a pipe, a tunnel, a stream of a test. A socket has this
// interface by itself; other streams differ from one in what they emit, and when.
// Invariant: 'close' comes exactly once, whatever the stream emits at its end.

import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Transport } from './transport.ts';

export class StreamTransport extends EventEmitter implements Transport {
  readonly #stream: Duplex;
  #isClosed = false;

  constructor(stream: Duplex) {
    super();
    this.#stream = stream;
    stream.on('data', (chunk: unknown) => this.#receive(chunk));
    stream.on('error', () => stream.destroy());
    stream.on('end', () => this.#ended());
    // A stream with `emitClose: false` ends with these.
    stream.on('finish', () => this.#ended());
    stream.on('close', () => this.#close());
  }

  get writable(): boolean {
    return this.#stream.writable;
  }

  get writableLength(): number {
    return this.#stream.writableLength;
  }

  /** A copy: the other end gets the very bytes, and the broker may repeat them to another client. */
  write(bytes: Buffer): void {
    this.#stream.write(Buffer.from(bytes), this.#written);
  }

  /** A stream whose high water mark is above the broker's own bounds emits no 'drain'. */
  readonly #written = (): void => {
    if (this.#stream.writableLength === 0) this.emit('drain');
  };

  cork(): void {
    this.#stream.cork();
  }

  uncork(): void {
    this.#stream.uncork();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
    this.#close();
  }

  #receive(chunk: unknown): void {
    if (chunk instanceof Uint8Array) {
      // A copy: the core writes to what it receives, and the other end may write the same bytes again.
      this.emit('data', Buffer.from(chunk));
    } else {
      this.destroy();
    }
  }

  /** A client that has sent its last byte has ended, as with a TCP socket. */
  #ended(): void {
    const stream = this.#stream;
    if (!stream.writableEnded) stream.end();
    if (stream.readableEnded && stream.writableFinished) this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Not within the call that destroys it: the caller is in the middle of its work.
    process.nextTick(() => this.emit('close'));
  }
}
