// The HTTP request that opens a WebSocket (RFC 6455, 4.2; MQTT 5.0 6): who may have one, and the
// answer. Knows nothing of frames.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Transport } from './transport.ts';
import { WebSocketTransport } from './websocket.ts';

/** `/` because mosquitto takes any path, and clients for it are often given none. */
const PATHS: readonly (string | undefined)[] = ['/mqtt', '/'];
/** MQTT 3.1.1 and 5 [MQTT5-6.0.0-3]; MQTT 3.1 before there was a standard. */
const SUBPROTOCOLS: readonly string[] = ['mqtt', 'mqttv3.1'];
const HTTP_HEADER_BYTES_MAX = 8192;
const VERSION = '13';
/** RFC 6455, 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

export interface WebSocketRules {
  /** Pages that may connect, as their browsers tell it (`https://example.org`); undefined: any. */
  readonly origins?: readonly string[] | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly reason: string;
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
  const refuse = (stream: Duplex, refusal: Refusal): void => {
    refused(refusal, stream);
    if (stream.writable) stream.end(responseOf(refusal));
    else stream.destroy();
  };
  http.on('request', ({ socket }) => {
    refuse(socket, { status: 426, reason: 'not a WebSocket upgrade' });
  });
  http.on('clientError', (_error, stream) => {
    refuse(stream, { status: 400, reason: 'not an HTTP request' });
  });
  http.on('upgrade', (request, stream, head) => {
    const refusal = refusalOf(request, rules);
    if (refusal !== undefined) {
      refuse(stream, refusal);
      return;
    }
    stream.write(acceptance(request));
    if (head.length > 0) stream.unshift(head);
    // What goes into take() is a net.Socket or a TLS one.
    opened(new WebSocketTransport(stream as Socket), stream);
  });
  return { take: (stream) => http.emit('connection', stream) };
}

function refusalOf(
  { method, url, headers }: IncomingMessage,
  rules: WebSocketRules,
): Refusal | undefined {
  const [path] = (url ?? '').split('?');
  if (!PATHS.includes(path)) return { status: 404, reason: 'the path is neither /mqtt nor /' };
  if (method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket') {
    return { status: 400, reason: 'not a WebSocket upgrade' };
  }
  if (headers['sec-websocket-version'] !== VERSION) {
    return { status: 426, reason: `not version ${VERSION} of WebSocket` };
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    return { status: 400, reason: 'no Sec-WebSocket-Key' };
  }
  const { origin } = headers;
  // Programs send no Origin; browsers always do.
  if (rules.origins !== undefined && origin !== undefined && !rules.origins.includes(origin)) {
    return { status: 403, reason: `the origin ${origin} is not among those allowed` };
  }
  if (subprotocolOf(headers) === undefined) {
    return { status: 400, reason: 'neither subprotocol mqtt nor mqttv3.1 is offered' };
  }
  return undefined;
}

/** The best of those that the client offers. */
function subprotocolOf(headers: IncomingMessage['headers']): string | undefined {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  return SUBPROTOCOLS.find((name) => offered.includes(name));
}

function acceptance({ headers }: IncomingMessage): string {
  const accept = createHash('sha1')
    .update(`${headers['sec-websocket-key']}${ACCEPT_GUID}`)
    .digest('base64');
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    `Sec-WebSocket-Protocol: ${subprotocolOf(headers)}`,
    '',
    '',
  ].join('\r\n');
}

function responseOf({ status, reason }: Refusal): string {
  const upgrade = ['Upgrade: websocket', `Sec-WebSocket-Version: ${VERSION}`];
  const body = `${reason}\n`;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...(status === 426 ? upgrade : []),
    `Connection: ${status === 426 ? 'Upgrade, close' : 'close'}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
