// MQTT over WebSocket (RFC 6455; MQTT 5.0 6): answers the HTTP upgrade and makes a Transport of the
// WebSocket behind it. Packets and frames have nothing to do with each other: a frame may hold half
// a packet or many, so frames are only bytes here [MQTT5-6.0.0-2].
// Invariant: nothing is compressed, and a message that is being put together has bounds.

import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { FirstByte } from '../../mqtt/packet-type.ts';
import type { Transport } from './transport.ts';

/** `/` because mosquitto takes any path, and clients for it are often given none. */
const PATHS: readonly (string | undefined)[] = ['/mqtt', '/'];
/** MQTT 3.1.1 and 5 [MQTT5-6.0.0-3]; MQTT 3.1 before there was a standard. */
const SUBPROTOCOLS: readonly string[] = ['mqtt', 'mqttv3.1'];
const HTTP_HEADER_BYTES_MAX = 8192;
/** A message is held until it is whole: this many pieces, at most. */
const FRAGMENTS_MAX = 1024;
const CHUNKS_MAX = 16_384;
/** Pings of a client that doesn't read are not answered. */
const PONG_BACKLOG_BYTES = 65_536;
const CLOSE_MS = 5_000;
const CLOSE_NORMAL = 1000;
const CLOSE_UNSUPPORTED_DATA = 1003;

export interface WebSocketRules {
  /** Bytes of one WebSocket message; a larger one ends the connection. */
  readonly messageBytesMax: number;
  /** Pages that may connect, as their browsers tell it (`https://example.org`); undefined: any. */
  readonly origins?: readonly string[] | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/** Why an upgrade can't be had, or undefined where it can. */
export function refusalOf(request: IncomingMessage, rules: WebSocketRules): Refusal | undefined {
  const [path] = (request.url ?? '').split('?');
  if (!PATHS.includes(path)) return { status: 404, reason: 'the path is neither /mqtt nor /' };
  const { origin } = request.headers;
  // Programs send no Origin; browsers always do.
  if (rules.origins !== undefined && origin !== undefined && !rules.origins.includes(origin)) {
    return { status: 403, reason: `the origin ${origin} is not among those allowed` };
  }
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  if (!offered.split(',').some((name) => SUBPROTOCOLS.includes(name.trim()))) {
    return { status: 400, reason: 'neither subprotocol mqtt nor mqttv3.1 is offered' };
  }
  return undefined;
}

export interface WebSocketGate {
  /** Takes a stream whose next bytes are an HTTP request. */
  take(stream: Duplex): void;
}

/**
 * Streams go in, each comes out of `opened` as a Transport or of `refused`, which is told before
 * the stream ends. The gate keeps no time: whoever hands a stream in bounds it.
 */
export function openWebSocketGate(
  rules: WebSocketRules,
  opened: (transport: Transport, stream: Duplex) => void,
  refused: (refusal: Refusal, stream: Duplex) => void,
): WebSocketGate {
  const http = createServer({ maxHeaderSize: HTTP_HEADER_BYTES_MAX });
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    skipUTF8Validation: true,
    maxPayload: rules.messageBytesMax,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    closeTimeout: CLOSE_MS,
    handleProtocols: (offered: Set<string>) =>
      SUBPROTOCOLS.find((name) => offered.has(name)) ?? (false as const),
  };
  const webSockets = new WebSocketServer(options);
  const refuse = (stream: Duplex, refusal: Refusal): void => {
    refused(refusal, stream);
    if (stream.writable) stream.end(responseOf(refusal));
    else stream.destroy();
  };
  http.on('request', (request) => {
    refuse(request.socket, { status: 426, reason: 'not a WebSocket upgrade' });
  });
  http.on('clientError', (error: Error & { readonly rawPacket?: Buffer }, stream) => {
    const hint = isMqttConnect(error.rawPacket) ? ': MQTT without WebSocket?' : '';
    refuse(stream, { status: 400, reason: `not an HTTP request${hint}` });
  });
  http.on('upgrade', (request, stream, head) => {
    const refusal = refusalOf(request, rules);
    if (refusal !== undefined) refuse(stream, refusal);
    else {
      webSockets.handleUpgrade(request, stream, head, (webSocket) => {
        opened(new WebSocketTransport(webSocket, stream as Socket), stream);
      });
    }
  });
  return { take: (stream) => http.emit('connection', stream) };
}

/** Type and flags, one to four bytes of length, and the protocol's name. */
function isMqttConnect(bytes: Buffer | undefined): boolean {
  return bytes?.[0] === FirstByte.connect && /MQTT|MQIsdp/.test(bytes.toString('latin1', 0, 16));
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

export class WebSocketTransport extends EventEmitter implements Transport {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;

  constructor(webSocket: WebSocket, socket: Socket) {
    super();
    this.#webSocket = webSocket;
    this.#socket = socket;
    webSocket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    webSocket.on('ping', (data) => {
      if (socket.writableLength < PONG_BACKLOG_BYTES) webSocket.pong(data);
    });
    // ws ends the connection by itself, with the code that RFC 6455 has for the fault.
    webSocket.on('error', () => undefined);
    webSocket.on('close', () => this.emit('close'));
    socket.on('drain', () => this.emit('drain'));
  }

  #receive(data: RawData, isBinary: boolean): void {
    // [MQTT5-6.0.0-1] any other type of data frame ends the connection.
    if (!isBinary) this.#webSocket.close(CLOSE_UNSUPPORTED_DATA, 'binary frames only');
    else if (Buffer.isBuffer(data) && data.length > 0 && this.writable) this.emit('data', data);
  }

  get writable(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
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
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  end(): void {
    this.#webSocket.close(CLOSE_NORMAL);
  }

  destroy(): void {
    this.#webSocket.terminate();
  }
}
