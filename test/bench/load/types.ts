// What a benchmark asks of the load generator, and what it answers.

import type { LoadTarget } from './raw-client.ts';

export interface Load {
  readonly kind: 'throughput' | 'latency' | 'churn' | 'idle' | 'sessions';
  readonly publishAt: LoadTarget;
  readonly subscribeAt: LoadTarget;
  readonly publishers: number;
  readonly subscribers: number;
  readonly publishQos: 0 | 1 | 2;
  readonly subscribeQos: 0 | 1 | 2;
  /** `{p}`: number of the publisher, `{t}`: number of the topic. */
  readonly topic: string;
  readonly topicsPerPublisher: number;
  /** `{s}`: number of the subscriber. */
  readonly filters: readonly string[];
  /** Deliveries of each message. */
  readonly copies: number;
  /** Messages of one publisher on their way at most. */
  readonly window: number;
  readonly payloadBytes: number;
  /** Messages a second, for latency. */
  readonly ratePerSecond: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

export interface LoadResult {
  /** Messages received (or connections made) a second. */
  readonly rate: number;
  /** Share of one core that the generator used; near 1 it is what limits. */
  readonly generatorBusy?: number;
  /** Microseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly max?: number;
}
