// Bounds the events of a stream in each moment: beyond the bound an event costs MQTT a
// comparison, and neither a JSON text nor a write. What is left out is counted, and an event says how many.

import { performance } from 'node:perf_hooks';
import type { EventData, StreamSink } from './route.ts';

const WINDOW_MS = 100;
const EVENTS_PER_WINDOW = 50;

export class LimitedSink implements StreamSink {
  readonly #sink: StreamSink;
  readonly #onDropped: () => void;
  #windowEnd = 0;
  #events = 0;
  #dropped = 0;

  constructor(sink: StreamSink, onDropped: () => void) {
    this.#sink = sink;
    this.#onDropped = onDropped;
  }

  send(event: string, data: EventData): void {
    if (this.#events >= EVENTS_PER_WINDOW && performance.now() < this.#windowEnd) {
      this.#dropped += 1;
      this.#onDropped();
      return;
    }
    const now = performance.now();
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + WINDOW_MS;
      this.#events = 0;
    }
    this.#events += 1;
    if (this.#dropped > 0) {
      const count = this.#dropped;
      this.#dropped = 0;
      this.#sink.send('dropped', { count });
    }
    this.#sink.send(event, data);
  }

  end(): void {
    this.#sink.end();
  }
}
