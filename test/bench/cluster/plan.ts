// What a load generator is asked to do and what it answers: plain data that crosses the channel
// between the benchmark and the generator's process.

export interface LoadPlan {
  readonly version: 4 | 5;
  readonly qos: 0 | 1;
  /** At least 14: index of the publisher (2), sequence (4), time of sending (8). */
  readonly payloadBytes: number;
  readonly publishers: readonly { readonly port: number; readonly topic: string }[];
  readonly subscribers: readonly { readonly port: number; readonly filter: string }[];
  /** How often each message arrives, over all subscribers. */
  readonly copies: number;
  /**
   * `window`: each publisher has that many messages under way, the next ones follow what arrived.
   * `rate`: so many messages a second over all publishers, evenly spaced, whatever arrives.
   */
  readonly pace: { readonly window: number } | { readonly rate: number };
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** During the measured time. */
  readonly sent: number;
  readonly received: number;
  readonly seconds: number;
  /** Messages that did not arrive on all that should have them, over the whole run. */
  readonly lost: number;
  /** Messages that came after a later one of the same publisher, or twice, over the whole run. */
  readonly disordered: number;
  /** Of what was received in the measured time, microseconds. */
  readonly latencyUs: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
}

/** From the generator to its parent, in this order. */
export type LoadMessage =
  | { readonly kind: 'measuring' }
  | { readonly kind: 'measured' }
  | { readonly kind: 'result'; readonly result: LoadResult };
