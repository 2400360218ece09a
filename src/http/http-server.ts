// node:http with the bounds of the API: on TCP, or TLS, for -http, on a Unix socket or a named pipe for -control.
// Reads a request into a value, asks the gate who it is, and writes the router's response.
// Must not know any route. Invariants: a request never throws out of its handler; headers, body,
// connections and time are bounded; a connection has one request at a time; a response is never cached nor
// readable for another site.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { ListenOptions, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { plainAddress } from '../shared/endpoint.ts';
import type { NodeRequest } from '../shared/node-request.ts';
import { TurnQueue } from '../shared/turn-queue.ts';
import type { ConnectionLimit } from './connection-limit.ts';
import { EventStream, type StreamCounters } from './event-stream.ts';
import type { Gate } from './gate.ts';
import type { NodeApi } from './node-api.ts';
import { PacedStream } from './paced-stream.ts';
import { findPage } from './pages.ts';
import { HttpProblem, PROBLEM_TYPE } from './problem.ts';
import { readTarget } from './request-target.ts';
import type { ApiResponse, StreamStart } from './route.ts';
import { problemResponse, type Router } from './router.ts';

export const HEADER_BYTES_MAX = 16_384;
export const BODY_BYTES_MAX = 1_048_576;
export const STREAMS_MAX = 32;
const HEADERS_MAX = 64;
const HEADERS_MS_MAX = 10_000;
const REQUEST_MS_MAX = 30_000;
const KEEP_ALIVE_MS = 10_000;
/** How often node:http looks for connections that are too slow. */
const CHECK_MS = 2_000;

const SERVER_OPTIONS: ServerOptions = {
  maxHeaderSize: HEADER_BYTES_MAX,
  headersTimeout: HEADERS_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: CHECK_MS,
  requireHostHeader: false,
};

const SAFE_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
};

export interface HttpServerParts {
  readonly router: Router;
  readonly gate: Gate;
  readonly node: NodeApi;
  readonly streams: StreamCounters;
  readonly counters: HttpCounters;
  readonly limit: ConnectionLimit;
  /** Certificate and key; undefined: without TLS. */
  readonly tls?: SecureContextOptions | undefined;
  /** Whether it serves the dashboard as well. */
  readonly hasPages: boolean;
}

export interface HttpCounters {
  requests: number;
  /** Answered with 500: a fault of this program. */
  failed: number;
}

export class HttpServer {
  readonly #server: Server;
  /** The same, where it speaks TLS. */
  readonly #tlsServer: TlsServer | undefined;
  readonly #parts: HttpServerParts;

  private constructor(parts: HttpServerParts) {
    this.#parts = parts;
    const serve: RequestListener = (request, response) => void this.#handle(request, response);
    const { tls } = parts;
    this.#tlsServer =
      tls &&
      createTlsServer({ ...SERVER_OPTIONS, ...tls, handshakeTimeout: HEADERS_MS_MAX }, serve);
    this.#server = this.#tlsServer ?? createServer(SERVER_OPTIONS, serve);
    this.#readInTurns(tls === undefined ? 'connection' : 'secureConnection');
    // By itself node:http would leave out those behind the bound, such as the one that names a proxy.
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket) => parts.limit.arrived(socket));
  }

  /** Rejects with the error of the system if the address can't be opened. */
  static open(parts: HttpServerParts, place: ListenOptions): Promise<HttpServer> {
    const opened = new HttpServer(parts);
    const server = opened.#server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(place, () => {
        server.off('error', reject);
        // Of accept(): node:net reports it, and the next connection is accepted all the same.
        server.on('error', (error) => parts.node.reportFault(error));
        resolve(opened);
      });
    });
  }

  /** The TCP port; 0 for a socket of another kind. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Has this certificate for new connections; only of a server that was opened with one. */
  renew(tls: SecureContextOptions): void {
    this.#tlsServer?.setSecureContext(tls);
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Other runtimes than Node may have no such listener; then they read as they do. */
  #readInTurns(event: 'connection' | 'secureConnection'): void {
    const server = this.#server;
    const [serve] = server.listeners(event);
    if (serve === undefined) return;
    const turns = new TurnQueue(1);
    server.off(event, serve as () => void);
    server.on(event, (socket: Socket) => serve.call(server, new PacedStream(socket, turns)));
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { node, counters, hasPages, limit } = this.#parts;
    counters.requests += 1;
    message.on('error', () => undefined);
    response.on('error', () => undefined);
    // It waits for the answer before: node:http would never close the response of one whose turn does not come.
    if (response.socket === null) {
      limit.closeImpatient(message.socket);
      return;
    }
    if (hasPages && sendPage(message, response)) return;
    const answer = await this.#answer(message).catch((error: unknown) =>
      problemResponse(error, node),
    );
    if (answer.status === 500) counters.failed += 1;
    try {
      if ('stream' in answer) this.#stream(message, response, answer.stream);
      else send(message, response, answer);
    } catch (error) {
      // Parts of an answer come from other nodes: no value of theirs may end this one.
      counters.failed += 1;
      node.reportFault(error);
      response.destroy();
    }
  }

  #stream(message: IncomingMessage, response: ServerResponse, start: StreamStart): void {
    const { streams } = this.#parts;
    if (response.destroyed) return;
    // The time limits of a request end with its head: a stream has limits of its own.
    response.writeHead(200, { ...SAFE_HEADERS, 'content-type': 'text/event-stream' });
    if (message.method === 'HEAD') {
      response.end();
      return;
    }
    const stop = start(new EventStream(response, streams));
    response.on('close', stop);
  }

  async #answer(message: IncomingMessage): Promise<ApiResponse> {
    const { router, gate } = this.#parts;
    const { method = 'GET', url = '/', headers, httpVersion, socket } = message;
    checkHeaders(message);
    const target = readTarget(url);
    const match = router.match({ method, path: target.path });
    const from = plainAddress(socket.remoteAddress ?? '');
    const caller = await gate.admit({ headers, httpVersion, from, access: match.route.access });
    if (match.route.stream !== undefined && this.#parts.streams.open >= STREAMS_MAX) {
      throw new HttpProblem(503, `${STREAMS_MAX} streams are open, which is as many as may be.`);
    }
    const body = await readBody(message);
    const request: NodeRequest = { method, ...target, body };
    return router.respond(match, request, caller);
  }
}

/** @throws HttpProblem. Source: RFC 9112 3.2 for a second Host */
function checkHeaders({ rawHeaders, headersDistinct }: IncomingMessage): void {
  if (rawHeaders.length > 2 * HEADERS_MAX) {
    throw new HttpProblem(431, `A request has ${HEADERS_MAX} headers at most.`);
  }
  if ((headersDistinct.host?.length ?? 0) > 1) {
    throw new HttpProblem(400, 'A request has one Host header.');
  }
}

/** @returns the parsed JSON; undefined if there is no body */
async function readBody(message: IncomingMessage): Promise<unknown> {
  const body = await readAll(message);
  if (body.length === 0) return undefined;
  const [type = ''] = (message.headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json') {
    throw new HttpProblem(415, 'The body must have the content type application/json.');
  }
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new HttpProblem(400, 'The body is not valid JSON.');
  }
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) break;
      chunks.push(chunk);
    }
  } catch {
    // The connection ended, and nothing will read this.
    throw new HttpProblem(400, 'The request ended before its body.');
  }
  if (bytes <= BODY_BYTES_MAX) return Buffer.concat(chunks);
  throw new HttpProblem(413, `The body is larger than ${BODY_BYTES_MAX} bytes.`);
}

/** @returns false if the request is for no page */
function sendPage(message: IncomingMessage, response: ServerResponse): boolean {
  const { method, url = '/', headers } = message;
  if (method !== 'GET' && method !== 'HEAD') return false;
  const page = findPage(url.split('?', 1)[0] ?? '/', String(headers['accept-encoding'] ?? ''));
  if (page === undefined) return false;
  response.writeHead(200, {
    ...SAFE_HEADERS,
    ...page.headers,
    'content-length': page.body.length,
  });
  response.end(method === 'HEAD' ? undefined : page.body);
  return true;
}

type WholeResponse = Exclude<ApiResponse, { readonly stream: unknown }>;

function send(message: IncomingMessage, response: ServerResponse, answer: WholeResponse): void {
  const isJson = 'json' in answer;
  const text = isJson ? JSON.stringify(answer.json) : answer.text;
  const isCut = !message.complete;
  response.writeHead(answer.status, {
    ...SAFE_HEADERS,
    'content-type': typeOf(answer),
    'content-length': Buffer.byteLength(text),
    ...(answer.status === 401 && { 'www-authenticate': 'Bearer realm="shoal"' }),
    // What is left of a refused body is not read.
    ...(isCut && { connection: 'close' }),
  });
  response.end(message.method === 'HEAD' ? undefined : text);
}

function typeOf(answer: WholeResponse): string {
  if (!('json' in answer)) return answer.contentType;
  return answer.isProblem === true ? PROBLEM_TYPE : 'application/json';
}
