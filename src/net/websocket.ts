// A WebSocket (RFC 6455) as a Transport: data frames become bytes and bytes frames; pings and the
// closing handshake are done here. Nothing is compressed, and nothing is held that a client sends.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Transport } from './transport.ts';
import { CloseCode, encodeFrameHeader, FrameReader, Opcode } from './websocket-frames.ts';

/** Up to here a frame is copied behind its header, so that it is one range for the system. */
const COPY_BYTES_MAX = 16_384;
/** Pings of a client that doesn't read are not answered. */
const PONG_BACKLOG_BYTES = 65_536;
/** For the client to end its side of a connection that broke the rules. */
const CLOSE_MS_MAX = 5_000;

export class WebSocketTransport extends EventEmitter implements Transport {
  readonly #socket: Socket;
  readonly #reader = new FrameReader({
    handleData: (bytes) => this.#handleData(bytes),
    handleControl: (opcode, payload) => this.#handleControl(opcode, payload),
    handleFault: (code, reason) => this.#handleFault(code, reason),
  });
  #isClosing = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param socket its upgrade was answered; its errors are someone else's */
  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#reader.push(chunk));
    socket.on('drain', () => this.emit('drain'));
    socket.on('close', () => {
      clearTimeout(this.#timer);
      this.emit('close');
    });
  }

  #handleData(bytes: Buffer): void {
    if (!this.#isClosing) this.emit('data', bytes);
  }

  #handleControl(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.ping && this.#socket.writableLength < PONG_BACKLOG_BYTES) {
      if (!this.#isClosing) this.#send(Opcode.pong, payload);
    } else if (opcode === Opcode.close) {
      // Both sides have said it now; the server ends the connection (5.5.1, 7.1.1).
      if (!this.#isClosing)
        this.#sendClose(payload.length >= 2 ? payload.readUInt16BE(0) : CloseCode.normal);
      this.#endWithin();
    }
  }

  #handleFault(code: number, reason: string): void {
    if (!this.#isClosing) this.#sendClose(code, reason);
    this.#endWithin();
  }

  /** What still comes is thrown away, else the system answers with a reset before our last bytes. */
  #endWithin(): void {
    this.#socket.resume();
    this.#socket.end();
    this.#timer ??= setTimeout(() => this.#socket.destroy(), CLOSE_MS_MAX);
  }

  #sendClose(code: number, reason = ''): void {
    this.#isClosing = true;
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    this.#send(Opcode.close, payload);
  }

  #send(opcode: number, payload: Buffer): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    const header = encodeFrameHeader(opcode, payload.length);
    if (payload.length <= COPY_BYTES_MAX) {
      socket.write(Buffer.concat([header, payload]));
      return;
    }
    socket.cork();
    socket.write(header);
    socket.write(payload);
    socket.uncork();
  }

  get writable(): boolean {
    return !this.#isClosing && this.#socket.writable;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    if (!this.#isClosing) this.#send(Opcode.binary, bytes);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Begins the closing handshake; the client's answer ends it, or destroy(). */
  end(): void {
    if (!this.#isClosing) this.#sendClose(CloseCode.normal);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
