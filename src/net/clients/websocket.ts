// MQTT over WebSocket (RFC 6455; MQTT 5.0 6): answers the HTTP upgrade and makes a Transport of the
// WebSocket. MQTT packets and WebSocket frames are independent: a frame may hold half a packet or
// many, so this file takes frames as bytes [MQTT5-6.0.0-2].
// Invariants: node:http sees one request of a connection; nothing is compressed; a message that is being
// assembled is bounded; what arrives in one turn of the event loop is handed on at once; and a connection
// that sends very many frames waits for the others (FRAMES_PER_TURN), whether the frames hold MQTT or not.

import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { FirstByte } from '../../mqtt/packet-type.ts';
import { TurnQueue } from '../../shared/turn-queue.ts';
import { FrameCounter } from './frame-counter.ts';
import type { Transport } from './transport.ts';
import { UnfinishedMessage } from './unfinished-message.ts';

/** Of MQTT 3.1.1 and 5 [MQTT5-6.0.0-3], and of MQTT 3.1 before it was standardised. */
export const SUBPROTOCOLS: readonly string[] = ['mqtt', 'mqttv3.1'];
/** In a list of paths: any path; in a list of origins: any page. */
const ANY = '*';
const HTTP_HEADER_BYTES_MAX = 8192;
const HEAD_END = '\r\n\r\n';
const CR = 0x0d;
const LF = 0x0a;
/** A request begins with its method. */
const LETTER_A = 0x41;
const LETTER_Z = 0x5a;
/** A message is held until it is complete: at most this many frames, and this many reads. */
const FRAGMENTS_MAX = 1024;
const CHUNKS_MAX = 16_384;
/** Beyond this a client does not read, and its pings are not answered. */
const PONG_BACKLOG_BYTES = 65_536;
/** Less is within what a connection costs anyway; changes below this are not reported. */
const UNFINISHED_BYTES_MIN = 1024;
/**
 * ws takes all frames of a read apart at once, and the system hands out many reads of one connection in one turn. A
 * connection whose read had more frames than this is paused, and waits for its turn: some 20 microseconds.
 */
const FRAMES_AT_ONCE = 100;
/** Of all connections that read on in one turn: some 1 ms. The last one may bring more. */
const FRAMES_PER_TURN = 5_000;
const FRAMES_OF_LATE_READ = FRAMES_AT_ONCE + 1;
const CLOSE_MS = 5_000;
const CLOSE_NORMAL = 1000;
const CLOSE_UNSUPPORTED_DATA = 1003;

export interface WebSocketRules {
  /** Bytes of one WebSocket message; a larger one ends the connection. */
  readonly messageBytesMax: number;
  /** Paths of the request (`/mqtt`), or `*` among them for any. */
  readonly paths: readonly string[];
  /** Pages that may connect, as browsers name them (`https://example.org`); undefined or `*` = any. */
  readonly origins: readonly string[] | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

const NO_REQUEST: Refusal = { status: 400, reason: 'not an HTTP request' };
const MQTT_WITHOUT_WEBSOCKET: Refusal = {
  status: 400,
  reason: `${NO_REQUEST.reason}: MQTT without WebSocket?`,
};

/** @returns why an upgrade is refused, or undefined */
export function refusalOf(request: IncomingMessage, rules: WebSocketRules): Refusal | undefined {
  const { paths, origins } = rules;
  if (!paths.includes(ANY)) {
    const path = normalPath(request.url ?? '');
    if (!paths.some((allowed) => normalPath(allowed) === path)) {
      return { status: 404, reason: `the path is none of those served: ${paths.join(', ')}` };
    }
  }
  const { origin } = request.headers;
  // Programs send no Origin; browsers always do.
  if (origin !== undefined && !isAllowed(origin, origins)) {
    return { status: 403, reason: `the origin ${origin} is not among those allowed` };
  }
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  if (!offered.split(',').some((name) => SUBPROTOCOLS.includes(name.trim()))) {
    return { status: 400, reason: 'neither subprotocol mqtt nor mqttv3.1 is offered' };
  }
  return undefined;
}

function isAllowed(origin: string, origins: readonly string[] | undefined): boolean {
  return origins === undefined || origins.includes(ANY) || origins.includes(origin);
}

/**
 * The path of a request target, in one form for `/mqtt`, `/mqtt/`, `//mqtt`, `/mqtt?x=1` and the
 * absolute form `http://host/mqtt` (RFC 9112 3.2).
 */
function normalPath(target: string): string {
  const path = target
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
    .replace(/[?#].*$/, '')
    .replace(/\/{2,}/g, '/')
    .replace(/\/$/, '');
  return path.startsWith('/') ? path : `/${path}`;
}

/** The outcome for one stream: one of the two is called, or neither if the stream ends before. */
export interface WebSocketHandlers {
  opened(transport: Transport): void;
  /** The stream ends by itself after that. */
  refused(refusal: Refusal): void;
}

/** Of either side: what a WebSocketTransport relies on. @param messageBytesMax of one message */
export function webSocketOptions(messageBytesMax: number) {
  return {
    perMessageDeflate: false,
    autoPong: false,
    skipUTF8Validation: true,
    maxPayload: messageBytesMax,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    closeTimeout: CLOSE_MS,
  };
}

const HANDLERS = Symbol('handlers');
const BEHIND = Symbol('behind');

/** Properties and no WeakMap, whose entries cost each collection of the young generation. */
interface AcceptedStream extends Duplex {
  /** Until the upgrade is refused. */
  [HANDLERS]?: WebSocketHandlers | undefined;
  /** What came with the request and is behind it. */
  [BEHIND]?: Buffer;
}

/** Takes streams whose next bytes are an HTTP request. Sets no time limit: that is the caller's. */
export class WebSocketAcceptor {
  readonly #rules: WebSocketRules;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;

  constructor(rules: WebSocketRules) {
    this.#rules = rules;
    const options = {
      noServer: true,
      clientTracking: false,
      ...webSocketOptions(rules.messageBytesMax),
      handleProtocols: (offered: Set<string>) =>
        SUBPROTOCOLS.find((name) => offered.has(name)) ?? (false as const),
    };
    this.#webSockets = new WebSocketServer(options);
    // By itself node:http answers a request without Host, or with an Expect it does not know, and reads on.
    const httpOptions = { maxHeaderSize: HTTP_HEADER_BYTES_MAX, requireHostHeader: false };
    this.#http = createServer(httpOptions);
    const refuseRequest = ({ socket }: IncomingMessage): void => {
      this.#refuse(socket, { status: 426, reason: 'not a WebSocket upgrade' });
    };
    this.#http.on('request', refuseRequest);
    this.#http.on('checkExpectation', refuseRequest);
    this.#http.on('clientError', (_error, stream) => this.#refuse(stream, NO_REQUEST));
    this.#http.on('upgrade', (request, stream) => this.#upgrade(request, stream));
  }

  accept(stream: AcceptedStream, handlers: WebSocketHandlers): void {
    stream[HANDLERS] = handlers;
    let held: Buffer = Buffer.alloc(0);
    const read = (): void => {
      const chunk: Buffer | null = stream.read();
      if (chunk === null) return;
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const headBytes = headBytesOf(held);
      if (headBytes === 0) return;
      stream.off('readable', read);
      if (headBytes === undefined) {
        this.#refuse(stream, isMqttConnect(held) ? MQTT_WITHOUT_WEBSOCKET : NO_REQUEST);
        return;
      }
      stream[BEHIND] = held.subarray(headBytes);
      stream.unshift(held.subarray(0, headBytes));
      this.#http.emit('connection', stream);
      // This keeps node:http from reading past the stream, so that a refusal can end its reading.
      stream.on('data', ignore).off('data', ignore);
    };
    stream.on('readable', read);
  }

  #upgrade(request: IncomingMessage, stream: AcceptedStream): void {
    const refusal = refusalOf(request, this.#rules);
    if (refusal !== undefined) {
      this.#refuse(stream, refusal);
      return;
    }
    const behind = stream[BEHIND] ?? Buffer.alloc(0);
    this.#webSockets.handleUpgrade(request, stream, behind, (webSocket) => {
      const transport = new WebSocketTransport(webSocket, stream as Socket);
      stream[HANDLERS]?.opened(transport);
    });
  }

  #refuse(stream: AcceptedStream, refusal: Refusal): void {
    stream[HANDLERS]?.refused(refusal);
    stream[HANDLERS] = undefined;
    stream.removeAllListeners('data').pause();
    if (stream.writable) stream.end(responseOf(refusal), () => stream.destroy());
    else stream.destroy();
  }
}

function ignore(): void {}

/**
 * node:http would make requests of all that a read of 64 KiB holds, some thousands, before the first can be refused:
 * it gets the head of the first one.
 * @returns 0: more must come; undefined: this is no request
 */
function headBytesOf(bytes: Buffer): number | undefined {
  // Empty lines in front of a request are ignored (RFC 9112 2.2).
  let begin = 0;
  while (bytes[begin] === CR || bytes[begin] === LF) begin++;
  const end = bytes.indexOf(HEAD_END, begin);
  if (end >= 0) return end + HEAD_END.length;
  const first = bytes[begin] ?? LETTER_A;
  const isLetter = first >= LETTER_A && first <= LETTER_Z;
  return isLetter && bytes.length <= HTTP_HEADER_BYTES_MAX ? 0 : undefined;
}

/** Packet type and flags, one to four bytes of length, and the protocol's name. */
function isMqttConnect(bytes: Buffer): boolean {
  return bytes[0] === FirstByte.connect && /MQTT|MQIsdp/.test(bytes.toString('latin1', 0, 16));
}

function responseOf({ status, reason }: Refusal): string {
  const body = `${reason}\n`;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...(status === 426 ? ['Upgrade: websocket', 'Connection: Upgrade, close'] : []),
    ...(status === 426 ? [] : ['Connection: close']),
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

/** Of all WebSockets of the process. */
const frameQueue = new TurnQueue(FRAMES_PER_TURN);

/** The MQTT bytes of an open WebSocket. */
export class WebSocketTransport extends EventEmitter implements Transport {
  readonly holdsMessages = true;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  /** Messages of this turn. */
  #received: Buffer[] = [];
  /** The latest ping of this turn, which alone is answered (RFC 6455 5.5.3). */
  #ping: Buffer | undefined;
  readonly #unfinished = new UnfinishedMessage(FRAGMENTS_MAX);
  /** Bytes of it as reported last. */
  #reportedBytes = 0;
  readonly #frames = new FrameCounter();
  /** It is not read, because it waits for its turn in the queue of frames. */
  #isWaiting = false;
  /** It is not read, because its user wants that. */
  #isPaused = false;

  constructor(webSocket: WebSocket, socket: Socket) {
    super();
    this.#webSocket = webSocket;
    this.#socket = socket;
    webSocket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    webSocket.on('ping', (data) => {
      if (this.#ping === undefined) setImmediate(() => this.#answerPing());
      this.#ping = data;
      this.#unfinished.control(data.length);
    });
    webSocket.on('pong', (data) => this.#unfinished.control(data.length));
    // ws has listened before, so it has handled the bytes.
    socket.on('data', (chunk: Buffer) => this.#counted(chunk));
    // ws ends the connection by itself, with the status code that RFC 6455 has for the fault.
    webSocket.on('error', () => undefined);
    webSocket.on('close', () => this.emit('close'));
    socket.on('drain', () => this.emit('drain'));
  }

  #counted(chunk: Buffer): void {
    // Behind a Close nothing is taken apart any more, but reading it takes time as well.
    const frames = this.writable ? this.#frames.count(chunk) : FRAMES_OF_LATE_READ;
    if (frames > FRAMES_AT_ONCE) this.#waitForTurn(frames);
    this.#unfinished.arrived(chunk.length);
    const { bytes } = this.#unfinished;
    if (Math.abs(bytes - this.#reportedBytes) < UNFINISHED_BYTES_MIN) return;
    this.#reportedBytes = bytes < UNFINISHED_BYTES_MIN ? 0 : bytes;
    this.emit('unfinished', this.#reportedBytes);
  }

  #waitForTurn(frames: number): void {
    // Also while it waits: at a fault ws reads on by itself.
    this.#webSocket.pause();
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    frameQueue.add(() => this.#readOn(frames));
  }

  /** @param frames of its last read: its next one is expected to have as many */
  #readOn(frames: number): number {
    this.#isWaiting = false;
    if (!this.#isPaused) this.#webSocket.resume();
    return frames;
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (Buffer.isBuffer(data)) this.#unfinished.complete(data.length);
    if (!isBinary) {
      // [MQTT5-6.0.0-1] any other type of data frame ends the connection.
      this.#webSocket.close(CLOSE_UNSUPPORTED_DATA, 'binary frames only');
      return;
    }
    if (!Buffer.isBuffer(data) || data.length === 0 || !this.writable) return;
    if (this.#received.length === 0) process.nextTick(() => this.#handOn());
    this.#received.push(data);
  }

  #handOn(): void {
    const received = this.#received;
    this.#received = [];
    this.emit('data', received.length === 1 ? received[0] : Buffer.concat(received));
  }

  #answerPing(): void {
    const ping = this.#ping;
    this.#ping = undefined;
    if (this.writable && this.#socket.writableLength < PONG_BACKLOG_BYTES) {
      this.#webSocket.pong(ping);
    }
  }

  get writable(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten;
  }

  write(bytes: Buffer): void {
    this.#webSocket.send(bytes);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#isPaused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isWaiting) this.#webSocket.resume();
  }

  end(): void {
    this.#webSocket.close(CLOSE_NORMAL);
  }

  destroy(): void {
    this.#webSocket.terminate();
  }
}
