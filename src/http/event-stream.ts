// A response of server-sent events, bounded: events of a moment leave in one write, and what a slow
// reader does not take is dropped and counted, so that neither memory nor MQTT pays for it.
// Source: WHATWG HTML, "Server-sent events".

import type { ServerResponse } from 'node:http';
import type { EventData, StreamSink } from './route.ts';

/** Events are gathered for this time, ms. */
const GATHER_MS = 50;
const PENDING_CHARACTERS_MAX = 262_144;
/** What the socket may hold for a reader that is slow. */
const UNTAKEN_BYTES_MAX = 262_144;
/** Keeps proxies from closing a quiet stream, and finds readers that are gone. */
const KEEP_ALIVE_MS = 15_000;
/** A reader that takes nothing for this time is disconnected. */
const STUCK_MS = 30_000;

export interface StreamCounters {
  /** Streams that are open. */
  open: number;
  /** Events that slow readers did not get. */
  dropped: number;
}

export class EventStream implements StreamSink {
  readonly #response: ServerResponse;
  readonly #counters: StreamCounters;
  readonly #keepAlive: NodeJS.Timeout;
  #gather: NodeJS.Timeout | undefined;
  #pending = '';
  /** Dropped since the last event that was sent. */
  #dropped = 0;
  #takenAt = Date.now();
  #isEnded = false;

  constructor(response: ServerResponse, counters: StreamCounters) {
    this.#response = response;
    this.#counters = counters;
    counters.open += 1;
    response.on('drain', () => {
      this.#takenAt = Date.now();
    });
    response.on('close', () => this.#close());
    this.#keepAlive = setInterval(() => this.#check(), KEEP_ALIVE_MS);
    this.#keepAlive.unref();
    response.write(': open\n\n');
  }

  send(event: string, data: EventData): void {
    if (this.#isEnded) return;
    if (this.#pending.length > PENDING_CHARACTERS_MAX || this.#isBehind) {
      this.#dropped += 1;
      this.#counters.dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      const count = this.#dropped;
      this.#dropped = 0;
      this.#pending += `event: dropped\ndata: {"count":${count}}\n\n`;
    }
    this.#pending += `event: ${event}\ndata: ${JSON.stringify(typeof data === 'function' ? data() : data)}\n\n`;
    this.#gather ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  end(): void {
    if (this.#isEnded) return;
    this.#flush();
    this.#isEnded = true;
    this.#response.end();
  }

  get #isBehind(): boolean {
    return this.#response.writableLength > UNTAKEN_BYTES_MAX;
  }

  #flush(): void {
    clearTimeout(this.#gather);
    this.#gather = undefined;
    if (this.#isEnded || this.#pending === '') return;
    if (this.#response.write(this.#pending)) this.#takenAt = Date.now();
    this.#pending = '';
  }

  #check(): void {
    if (this.#response.writableLength === 0) this.#response.write(': \n\n');
    else if (Date.now() - this.#takenAt > STUCK_MS) this.#response.destroy();
  }

  #close(): void {
    this.#isEnded = true;
    clearTimeout(this.#gather);
    clearInterval(this.#keepAlive);
    this.#counters.open -= 1;
  }
}
