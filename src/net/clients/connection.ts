// One client's transport as the broker's Outbox. Gathers what a turn of the event loop brings for it
// and writes it once, at the end of the turn: a system call costs more than everything else that
// happens to a message.
// Invariant: what waits for a client is bounded; a client that does not read is not read either.

import type { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { Client } from '../../broker/client/client.ts';
import { originOf } from '../../broker/log-fields.ts';
import type { ConnectionInfo, Outbox } from '../../broker/ports.ts';
import type { PreConnectLimit } from './pre-connect-limit.ts';
import type { Transport } from './transport.ts';
import { WriteBuffer } from './write-buffer.ts';

/** From here on the core holds messages back for this client. */
const CONGESTED_BYTES = 524_288;
/** From here on, acknowledgements included, nothing more is read from it. */
const PAUSE_BYTES = 2_097_152;
/** As soon as clients together have not taken this much, both bounds are the lower one below. */
const BACKLOG_BYTES = 268_435_456;
/** Above the high water mark of Node's sockets, as only then 'drain' tells that it was taken. */
const BACKLOG_SHARE_BYTES = 131_072;
/** A client that was told to go has this long to take its last bytes. */
const LINGER_MS = 5_000;

/** Connections with something to write at the end of this turn. */
let dirty: Connection[] = [];
/** Bytes that sockets hold because clients have not taken them, of all connections. */
let backlogBytes = 0;

function bounded(bytes: number): number {
  return backlogBytes < BACKLOG_BYTES ? bytes : BACKLOG_SHARE_BYTES;
}

function flushAll(): void {
  const connections = dirty;
  dirty = [];
  for (const connection of connections) connection.flush();
}

export class Connection implements Outbox {
  congested = false;
  readonly #socket: Transport;
  readonly #broker: Broker;
  readonly #client: Client;
  #pending: WriteBuffer | undefined;
  #isDirty = false;
  #isClosing = false;
  #isClosed = false;
  #linger: NodeJS.Timeout | undefined;
  /** What #socket held when it was last looked at. */
  #waiting = 0;
  #isHeldBack = false;
  #isPaused = false;
  /** Ends the count of what came before the first answer. */
  #endArrival: (() => void) | undefined;

  constructor(socket: Transport, broker: Broker, info: ConnectionInfo) {
    this.#socket = socket;
    this.#broker = broker;
    this.#client = broker.accept(this, info, performance.now());
    socket.on('data', (chunk: Buffer) => {
      if (!this.#isClosing) this.#client.receive(chunk, performance.now());
    });
    socket.on('drain', () => this.#drained());
    // 'close' follows every error; there is nothing to add.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
      this.#setWaiting(0);
      clearTimeout(this.#linger);
      this.#isClosing = true;
      this.#endArrival?.();
      this.#client.disconnected(performance.now());
    });
  }

  /** @param stream what the bytes come by; a WebSocket's are counted before they are a message */
  countArrival(arrivals: PreConnectLimit, stream: EventEmitter): void {
    const origin = originOf(this.#client.info);
    this.#endArrival = arrivals.watch(stream, () => {
      const { log, stats } = this.#broker;
      log.warn('connection refused: too many bytes before its CONNECT was answered', origin);
      stats.connectionsRefused += 1;
      this.#isClosing = true;
      this.#socket.destroy();
    });
  }

  write(buffer: Buffer, start: number, end: number): void {
    if (this.#isClosing) return;
    if (this.#endArrival !== undefined) {
      this.#endArrival();
      this.#endArrival = undefined;
    }
    this.#pending ??= WriteBuffer.take();
    this.#pending.add(buffer, start, end);
    if (this.#pending.bytes > bounded(CONGESTED_BYTES)) this.congested = true;
    this.#markDirty();
  }

  #markDirty(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    if (dirty.length === 0) setImmediate(flushAll);
    dirty.push(this);
  }

  /** Writes what was gathered, and ends the connection if that was asked for. */
  flush(): void {
    this.#isDirty = false;
    const socket = this.#socket;
    const pending = this.#pending;
    if (pending !== undefined) {
      this.#pending = undefined;
      this.#broker.stats.bytesSent += pending.bytes;
      if (socket.writable) pending.writeTo(socket);
      pending.release();
    }
    this.#setWaiting(this.#isClosed ? 0 : socket.writableLength);
    if (this.#isClosing) {
      this.#finish();
      return;
    }
    this.#holdBack(this.#waiting > bounded(PAUSE_BYTES));
    if (this.#waiting > bounded(CONGESTED_BYTES)) {
      this.congested = true;
    } else if (this.congested) {
      this.congested = false;
      this.#client.drained(performance.now());
    }
  }

  #drained(): void {
    this.#setWaiting(0);
    if (this.#isClosing) return;
    this.#holdBack(false);
    if (!this.congested) return;
    this.congested = false;
    this.#client.drained(performance.now());
  }

  #setWaiting(bytes: number): void {
    backlogBytes += bytes - this.#waiting;
    this.#waiting = bytes;
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#markDirty();
  }

  #finish(): void {
    const socket = this.#socket;
    // What the client still sends is read and thrown away, else the kernel answers with a reset
    // that overtakes our last packet.
    socket.resume();
    socket.end();
    // Not the socket's own timeout: a client that goes on sending would put that off for ever.
    if (!this.#isClosed) this.#linger = setTimeout(() => socket.destroy(), LINGER_MS);
  }

  pauseReading(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#isPaused = false;
    if (!this.#isHeldBack) this.#socket.resume();
  }

  #holdBack(holdBack: boolean): void {
    if (holdBack === this.#isHeldBack) return;
    this.#isHeldBack = holdBack;
    if (holdBack) this.#socket.pause();
    else if (!this.#isPaused) this.#socket.resume();
  }
}
