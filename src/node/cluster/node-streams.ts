// Items that come one after the other from a node, such as the lines of a trace: the follower fetches
// them by requests that wait for the next item. Nothing is pushed, so a follower that is gone costs the
// node nothing once its lease is over.
// Invariants: a stream holds STREAM_ITEMS_MAX items and STREAM_BYTES_MAX bytes at most and drops the oldest, which
// it counts; a node serves STREAMS_MAX streams; an item that was fetched stays until the next fetch
// confirms it.

import type { NodeReply, NodeRequest } from '../../shared/node-request.ts';

const STREAMS_MAX = 16;
const STREAM_ITEMS_MAX = 1000;
/** As JSON. Less than what one reply holds. */
const STREAM_BYTES_MAX = 200 * 1024;
/** A follower fetches again within this time, or the stream ends. */
const LEASE_MS = 10_000;
/** A fetch that finds nothing waits for this time. */
const FETCH_WAIT_MS = 2000;
/** Fetches in a row that may fail before a follower gives up. */
const FAILED_FETCHES_MAX = 3;

const FOLLOW = 'FOLLOW';
const FETCH = 'FETCH';
const END = 'END';

/** What a stream's handler passes on. */
export interface StreamSink {
  /** @param item a JSON value */
  item(item: unknown): void;
  /** The stream has no more items. */
  end(): void;
}

/** @returns what ends the stream, or a reply that refuses it */
export type StreamHandler = (request: NodeRequest, sink: StreamSink) => (() => void) | NodeReply;

export interface Follower {
  item(item: unknown): void;
  /** Items that the node dropped because they were not fetched in time. */
  dropped(count: number): void;
  /** @param reply why it ended; undefined if the node has no more items */
  ended(reply: NodeReply | undefined): void;
}

type Ask = (request: NodeRequest) => Promise<NodeReply>;

/** Serves the streams of one node. */
export class StreamServer {
  readonly #handlers = new Map<string, StreamHandler>();
  /** By member and number. */
  readonly #streams = new Map<string, ServedStream>();
  #lastId = 0;

  add(path: string, handler: StreamHandler): void {
    this.#handlers.set(path, handler);
  }

  /**
   * @param member boot id of the follower; undefined for this node
   * @returns undefined if the request is about no stream
   */
  serve(request: NodeRequest, member: bigint | undefined): Promise<NodeReply> | undefined {
    const { method, path, query } = request;
    if (method === FOLLOW) return Promise.resolve(this.#open(request, member));
    if (method !== FETCH && method !== END) return undefined;
    const stream = this.#streams.get(`${member}${path}`);
    if (stream === undefined) return Promise.resolve(failed(404, 'no such stream'));
    if (method === FETCH) return stream.fetch(Number(query.after));
    stream.close();
    return Promise.resolve({ status: 200 });
  }

  close(): void {
    for (const stream of [...this.#streams.values()]) stream.close();
  }

  #open(request: NodeRequest, member: bigint | undefined): NodeReply {
    const handler = this.#handlers.get(request.path);
    if (handler === undefined) return failed(404, 'no such stream');
    if (this.#streams.size >= STREAMS_MAX) return failed(503, 'too many streams are followed');
    this.#lastId += 1;
    const path = `/${this.#lastId}`;
    const key = `${member}${path}`;
    const stream = new ServedStream(() => this.#streams.delete(key));
    const opened = handler(request, stream);
    if (typeof opened !== 'function') {
      stream.close();
      return opened;
    }
    stream.onClose = opened;
    this.#streams.set(key, stream);
    return { status: 200, body: { stream: path } };
  }
}

class ServedStream implements StreamSink {
  onClose: () => void = () => undefined;
  readonly #forget: () => void;
  readonly #items: { readonly number: number; readonly json: string }[] = [];
  #bytes = 0;
  #lastNumber = 0;
  #dropped = 0;
  #isEnded = false;
  #isClosed = false;
  #lease: NodeJS.Timeout | undefined;
  #wake: () => void = () => undefined;

  constructor(forget: () => void) {
    this.#forget = forget;
    this.#renewLease();
  }

  item(item: unknown): void {
    if (this.#isClosed || this.#isEnded) return;
    const json = JSON.stringify(item);
    this.#lastNumber += 1;
    this.#items.push({ number: this.#lastNumber, json });
    this.#bytes += json.length;
    while (this.#items.length > STREAM_ITEMS_MAX || this.#bytes > STREAM_BYTES_MAX) {
      this.#bytes -= this.#items.shift()?.json.length ?? 0;
      this.#dropped += 1;
    }
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** @param after number of the last item that the follower has */
  async fetch(after: number): Promise<NodeReply> {
    this.#renewLease();
    while (this.#items[0] !== undefined && this.#items[0].number <= after) {
      this.#bytes -= this.#items.shift()?.json.length ?? 0;
    }
    if (this.#items.length === 0 && !this.#isEnded && !this.#isClosed) await this.#nextItem();
    const items = this.#items.map(({ json }) => JSON.parse(json) as unknown);
    const next = this.#items.at(-1)?.number ?? after;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { status: 200, body: { items, next, dropped, ended: this.#isEnded || this.#isClosed } };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#lease);
    this.#wake();
    this.#forget();
    this.onClose();
  }

  #nextItem(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FETCH_WAIT_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #renewLease(): void {
    clearTimeout(this.#lease);
    this.#lease = setTimeout(() => this.close(), LEASE_MS);
    this.#lease.unref();
  }
}

/**
 * Follows a stream of a node.
 * @param request path, query and body as the stream's handler expects them
 * @returns ends it
 */
export function followStream(ask: Ask, request: NodeRequest, follower: Follower): () => void {
  let isClosed = false;
  let stream: string | undefined;
  const end = (reply: NodeReply | undefined): void => {
    if (!isClosed) follower.ended(reply);
    isClosed = true;
  };
  const run = async (): Promise<void> => {
    const opened = await ask({ ...request, method: FOLLOW });
    stream = (opened.body as { stream?: string } | undefined)?.stream;
    if (opened.status !== 200 || typeof stream !== 'string') return end(opened);
    let after = 0;
    let failures = 0;
    while (!isClosed) {
      const reply = await ask({ method: FETCH, path: stream, query: { after: String(after) } });
      const chunk = reply.status === 200 ? readChunk(reply.body) : undefined;
      if (isClosed) break;
      if (chunk === undefined) {
        failures += 1;
        if (reply.status === 404 || failures > FAILED_FETCHES_MAX) return end(reply);
        continue;
      }
      failures = 0;
      after = chunk.next;
      if (chunk.dropped > 0) follower.dropped(chunk.dropped);
      for (const item of chunk.items) follower.item(item);
      if (chunk.ended) return end(undefined);
    }
    await ask({ method: END, path: stream, query: {} });
  };
  // What the other node sends may be nothing that can be passed on.
  run().catch((error: unknown) => end(failed(502, String(error))));
  return () => {
    isClosed = true;
  };
}

interface Chunk {
  readonly items: readonly unknown[];
  readonly next: number;
  readonly dropped: number;
  readonly ended: boolean;
}

function readChunk(body: unknown): Chunk | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { items, next, dropped, ended } = body as Record<string, unknown>;
  if (!Array.isArray(items) || typeof next !== 'number') return undefined;
  return { items, next, dropped: Number(dropped) || 0, ended: ended === true };
}

function failed(status: number, error: string): NodeReply {
  return { status, body: { error } };
}
