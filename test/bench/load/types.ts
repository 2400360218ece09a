// The request to the load generator, and its answer.

import type { Target } from './handle.ts';

export interface Load {
  readonly kind:
    | 'throughput'
    | 'latency'
    | 'pauses'
    | 'churn'
    | 'reconnect'
    | 'idle'
    | 'sessions'
    | 'retained';
  readonly publishAt: Target;
  readonly subscribeAt: Target;
  /** Process whose processor time is read at both ends of the measured interval. */
  readonly brokerPid: number;
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
  /** Most messages of one publisher in flight. */
  readonly window: number;
  readonly payloadBytes: number;
  /** Messages a second, for latency and pauses. */
  readonly ratePerSecond: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** A load without the broker that it is sent to. */
export type LoadShape = Omit<Load, 'publishAt' | 'subscribeAt' | 'brokerPid'>;

/** A stretch of time; `at` in milliseconds since 1970, by the clock of load/clock.ts. */
export interface Stretch {
  readonly at: number;
  readonly ms: number;
}

export interface LoadResult {
  /** Messages received (or connections made) a second. */
  readonly rate: number;
  /** Shares of a core in the measured interval. */
  readonly generatorBusy?: number;
  readonly brokerBusy?: number;
  /** Share of the interval in which the broker's core was idle. */
  readonly brokerIdle?: number;
  /** Processor time for each message received, microseconds. */
  readonly brokerUs?: number;
  readonly generatorUs?: number;
  /** Latency, microseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  readonly max?: number;
  /** The highest latency of each pause, and the generator's own standstills. */
  readonly worst?: readonly Stretch[];
  readonly generatorGaps?: readonly Stretch[];
}
