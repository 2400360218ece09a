// The request to a load generator and its answer: plain data on the IPC channel between the benchmark
// and the generator's process.

/** Where a client connects. */
export interface Place {
  /** 127.0.0.1 by default. */
  readonly host?: string;
  readonly port: number;
}

export interface LoadPlan {
  readonly version: 4 | 5;
  readonly qos: 0 | 1;
  /** At least 14: index of the publisher (2), sequence (4), time of sending (8). */
  readonly payloadBytes: number;
  readonly publishers: readonly (Place & { readonly topic: string })[];
  readonly subscribers: readonly (Place & { readonly filter: string })[];
  /** Deliveries of each message, over all subscribers. */
  readonly copies: number;
  /**
   * `window`: each publisher has this many messages in flight; an arrival releases the next one.
   * `rate`: messages a second over all publishers, evenly spaced, whatever arrives.
   */
  readonly pace: { readonly window: number } | { readonly rate: number };
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** In the measured interval. */
  readonly sent: number;
  readonly received: number;
  readonly seconds: number;
  /** Deliveries that did not arrive, over the whole run. */
  readonly lost: number;
  /** Messages that arrived twice or after a later one of their publisher, over the whole run. */
  readonly disordered: number;
  /** Latency of the messages received in the measured interval, microseconds. */
  readonly latencyUs: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
}

/** Messages from the generator to its parent, in this order. */
export type LoadMessage =
  | { readonly kind: 'measuring' }
  | { readonly kind: 'measured' }
  | { readonly kind: 'result'; readonly result: LoadResult };
