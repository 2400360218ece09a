// One client's transport as the broker's Outbox. Gathers what one turn of the event loop queues for
// the client and writes it once, at the end of the turn: a system call costs more than all else that
// happens to a message.
// Invariant: the bytes that wait for a client are bounded; a client that does not read its bytes is
// not read either.

import type { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { Client } from '../../broker/client/client.ts';
import { originOf } from '../../broker/log-fields.ts';
import type { ByteTap, ConnectionInfo, Outbox } from '../../broker/ports.ts';
import { TurnQueue } from '../../shared/turn-queue.ts';
import { flushQueue } from './flush-queue.ts';
import type { PreConnectCount, PreConnectLimit } from './pre-connect-limit.ts';
import type { Transport } from './transport.ts';
import { WriteBuffer } from './write-buffer.ts';

/** Beyond this many untaken bytes the core holds messages back for the client. */
const CONGESTED_BYTES = 524_288;
/** Beyond this many, acknowledgements included, nothing more is read from it. */
const PAUSE_BYTES = 2_097_152;
/** When all clients together have left this many bytes untaken, both bounds fall to the next one. */
const BACKLOG_BYTES = 268_435_456;
/** Above the high water mark of Node's sockets, which have a 'drain' event only then. */
const BACKLOG_SHARE_BYTES = 131_072;
/** So many are not kept until the end of the turn. */
const EARLY_BYTES = 131_072;
/** A client whose connection is ended has this long to take its last bytes. */
const LINGER_MS = 5_000;
/** Of connections whose clients have left, thousands perhaps in the same moment: some 2 ms. */
const CLOSES_PER_TURN = 100;

/** Of all connections of the process. */
const closeQueue = new TurnQueue(CLOSES_PER_TURN);

/** Bytes that sockets hold because their clients have not taken them, of all connections. */
let backlogBytes = 0;

function bounded(bytes: number): number {
  return backlogBytes < BACKLOG_BYTES ? bytes : BACKLOG_SHARE_BYTES;
}

export class Connection implements Outbox {
  congested = false;
  readonly takesParts = true;
  tap: ByteTap | undefined;
  readonly #transport: Transport;
  readonly #isPlainTcp: boolean;
  readonly #broker: Broker;
  readonly #client: Client;
  #pending: WriteBuffer | undefined;
  #isDirty = false;
  #isClosing = false;
  #clientHasLeft = false;
  #isClosed = false;
  #lingerTimer: NodeJS.Timeout | undefined;
  /** Bytes that the transport held when it was last asked. */
  #untakenBytes = 0;
  /** Reading is paused because the client does not take its bytes. */
  #isHeldBack = false;
  /** Reading is paused because the core asked for it. */
  #isPaused = false;
  /** The bytes before the first answer. */
  #preConnect: PreConnectCount | undefined;
  /** Set while they are counted as bytes of the stream below the transport. */
  #stopCounting: (() => void) | undefined;

  /** @param isPlainTcp the transport has no closing exchange of its own, as TLS and WebSocket have */
  constructor(transport: Transport, broker: Broker, info: ConnectionInfo, isPlainTcp = false) {
    this.#transport = transport;
    this.#isPlainTcp = isPlainTcp;
    this.#broker = broker;
    this.#client = broker.accept(this, info, performance.now());
    transport.on('data', (chunk: Buffer) => {
      if (this.#isClosing) return;
      if (this.tap !== undefined) this.tap.received(chunk);
      const begin = flushQueue.size;
      this.#client.receive(chunk, performance.now());
      flushQueue.endGroup(begin);
      if (this.#preConnect !== undefined && this.#stopCounting === undefined) {
        this.#countBytes(chunk.length);
      }
    });
    if (transport.holdsMessages) {
      transport.on('unfinished', (bytes) => {
        if (!this.#isClosing) this.#client.transportHolds(bytes, performance.now());
      });
    }
    transport.on('drain', () => this.#drained());
    transport.on('end', () => closeQueue.add(() => this.#endAfterPeer()));
    transport.on('close', () => {
      this.#isClosed = true;
      this.#setUntaken(0);
      clearTimeout(this.#lingerTimer);
      this.#isClosing = true;
      this.#endPreConnect();
      this.#client.disconnected(performance.now());
    });
  }

  /** @param stream carries the transport's bytes: a WebSocket's are counted before they are a message */
  limitBeforeConnect(limit: PreConnectLimit, stream: EventEmitter): void {
    this.#preConnect = limit.open(this.#client.info.remoteAddress);
    const transport: unknown = this.#transport;
    if (stream === transport) return;
    const count = (chunk: Buffer): void => this.#countBytes(chunk.length);
    stream.on('data', count);
    this.#stopCounting = () => stream.off('data', count);
  }

  #countBytes(bytes: number): void {
    if (this.#preConnect?.add(bytes) !== false) return;
    this.#endPreConnect();
    const { log, stats } = this.#broker;
    const origin = originOf(this.#client.info);
    log.warn('connection refused: too many bytes before its CONNECT was answered', origin);
    stats.connectionsRefused += 1;
    this.#isClosing = true;
    this.#transport.destroy();
  }

  #endPreConnect(): void {
    this.#preConnect?.end();
    this.#preConnect = undefined;
    this.#stopCounting?.();
    this.#stopCounting = undefined;
  }

  get traffic() {
    const { bytesRead: received, bytesWritten: sent } = this.#transport;
    return received === undefined || sent === undefined ? undefined : { received, sent };
  }

  write(buffer: Buffer, start: number, end: number): void {
    if (this.#isClosing) return;
    if (this.#preConnect !== undefined) this.#endPreConnect();
    this.#pending ??= WriteBuffer.take();
    this.#pending.add(buffer, start, end);
    if (this.#pending.bytes > EARLY_BYTES) this.#writeEarly();
    this.#markDirty();
  }

  #markDirty(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    flushQueue.add(this);
  }

  /** The client reads meanwhile; and only what the system does not take makes it a slow one. */
  #writeEarly(): void {
    this.#writePending();
    if (this.#untakenBytes > bounded(CONGESTED_BYTES)) this.congested = true;
  }

  #writePending(): void {
    const transport = this.#transport;
    const pending = this.#pending;
    if (pending !== undefined) {
      this.#pending = undefined;
      this.#broker.stats.bytesSent += pending.bytes;
      if (this.tap !== undefined) pending.showTo(this.tap);
      if (transport.writable) pending.writeTo(transport);
      pending.release();
    }
    this.#setUntaken(this.#isClosed ? 0 : transport.writableLength);
  }

  /** Writes what was gathered, and ends the connection if the core asked for that. */
  flush(): void {
    this.#isDirty = false;
    this.#writePending();
    if (this.#isClosing) {
      this.#finish();
      return;
    }
    this.#holdBack(this.#untakenBytes > bounded(PAUSE_BYTES));
    if (this.#untakenBytes > bounded(CONGESTED_BYTES)) {
      this.congested = true;
    } else if (this.congested) {
      this.#sendHeld();
    }
  }

  #drained(): void {
    this.#setUntaken(0);
    if (this.#isClosing) return;
    this.#holdBack(false);
    if (this.congested) this.#sendHeld();
  }

  /** Thousands of clients may take their bytes in the same turn. */
  #sendHeld(): void {
    this.congested = false;
    const begin = flushQueue.size;
    this.#client.drained(performance.now());
    flushQueue.postpone(begin);
  }

  #setUntaken(bytes: number): void {
    backlogBytes += bytes - this.#untakenBytes;
    this.#untakenBytes = bytes;
  }

  /** Most clients are gone then; one that has only shut down its side still gets what was written. */
  #endAfterPeer(): number {
    if (this.#isClosed) return 0;
    if (this.#pending !== undefined || this.#transport.writableLength > 0) this.close(false);
    else this.#transport.destroy();
    return 1;
  }

  close(clientHasLeft: boolean): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#clientHasLeft = clientHasLeft;
    this.#markDirty();
  }

  #finish(): void {
    const transport = this.#transport;
    if (this.#clientHasLeft && this.#isPlainTcp && this.#untakenBytes === 0) {
      // Nothing can arrive any more that the system would answer with a reset.
      transport.destroy();
      return;
    }
    // What the client still sends is read and discarded; otherwise the system answers it with a
    // reset, which overtakes our last packet.
    transport.resume();
    transport.end();
    // Not the socket's own timeout: a client that goes on sending would put that off for ever.
    if (!this.#isClosed) this.#lingerTimer = setTimeout(() => transport.destroy(), LINGER_MS);
  }

  pauseReading(): void {
    this.#isPaused = true;
    this.#transport.pause();
  }

  resumeReading(): void {
    this.#isPaused = false;
    if (!this.#isHeldBack) this.#transport.resume();
  }

  #holdBack(holdBack: boolean): void {
    if (holdBack === this.#isHeldBack) return;
    this.#isHeldBack = holdBack;
    if (holdBack) this.#transport.pause();
    else if (!this.#isPaused) this.#transport.resume();
  }
}
