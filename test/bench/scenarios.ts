// The scenarios of the benchmark, as loads. Their names are the row names of the printed table.

import type { RunningBroker } from './brokers.ts';
import { atLeast, atMost, type Goal } from './goals.ts';
import type { Load, LoadShape } from './load/types.ts';

export interface Scenario {
  readonly name: string;
  /** In times of mosquitto's rate; kilobytes for idle connections. */
  readonly goal?: Goal;
  readonly load: LoadShape;
}

/** A load whose publishers and subscribers connect to the same broker. */
export function loadAt(broker: RunningBroker, shape: LoadShape): Load {
  const target = { host: '127.0.0.1', port: broker.port };
  return { ...shape, publishAt: target, subscribeAt: target, brokerPid: broker.pid };
}

export const baseLoad: LoadShape = {
  kind: 'throughput',
  publishers: 1,
  subscribers: 1,
  publishQos: 0,
  subscribeQos: 0,
  topic: 'bench/{p}',
  topicsPerPublisher: 1,
  filters: ['bench/+'],
  copies: 1,
  window: 100,
  payloadBytes: 64,
  ratePerSecond: 20_000,
  warmupMs: 500,
  measureMs: 1_000,
};

const pairs = { publishers: 50, subscribers: 50, filters: ['bench/{s}'] } as const;

/** Node compiles what a connection needs only after some thousands of them. */
const connects = { publishers: 50, warmupMs: 1_500, measureMs: 2_000 } as const;

/** Each subscriber has one filter that matches and many that do not. */
const wildcards = {
  topic: 'site/{p}/room/{t}/sensor/temperature',
  topicsPerPublisher: 50,
  filters: [
    'site/+/room/+/sensor/#',
    'site/+/room/+/actor/{s}',
    '+/{s}/door/+/sensor/temperature',
    'site/+/+/+/+/humidity/{s}/#',
  ],
} as const;

export const scenarios: readonly Scenario[] = [
  {
    name: 'qos0 fan-in 10:1, window 100',
    goal: atLeast(30),
    load: { ...baseLoad, publishers: 10 },
  },
  { name: 'qos0 pairs 50:50, window 100', goal: atLeast(30), load: { ...baseLoad, ...pairs } },
  {
    name: 'qos0 pairs 50:50, 1 KB, window 100',
    load: { ...baseLoad, ...pairs, payloadBytes: 1024 },
  },
  {
    name: 'qos0 fan-out 1:100, window 50',
    goal: atLeast(25),
    load: { ...baseLoad, subscribers: 100, copies: 100, window: 50 },
  },
  {
    name: 'qos0 fan-out 1:1000, window 20',
    goal: atLeast(20),
    load: { ...baseLoad, subscribers: 1000, copies: 1000, window: 20 },
  },
  {
    name: 'qos0 wildcards 1:100, window 50',
    goal: atLeast(30),
    load: { ...baseLoad, ...wildcards, subscribers: 100, copies: 100, window: 50 },
  },
  {
    name: 'qos1 pairs 50:50, window 20',
    goal: atLeast(12),
    load: { ...baseLoad, ...pairs, publishQos: 1, subscribeQos: 1, window: 20 },
  },
  {
    name: 'qos2 pairs 50:50, window 20',
    load: { ...baseLoad, ...pairs, publishQos: 2, subscribeQos: 2, window: 20 },
  },
  {
    name: 'qos0 fan-in 1000:1, window 1',
    goal: atLeast(2),
    load: { ...baseLoad, publishers: 1000, window: 1 },
  },
  {
    name: 'qos0 pairs 50:50, window 1',
    goal: atLeast(1),
    load: { ...baseLoad, ...pairs, window: 1 },
  },
  { name: 'latency at 20000/s', load: { ...baseLoad, kind: 'latency', measureMs: 2_000 } },
  // From CONNECT until the broker has closed the connection.
  {
    name: 'connects, 50 at a time',
    goal: atLeast(0.5),
    load: { ...baseLoad, ...connects, kind: 'churn' },
  },
  { name: 'reconnects, 50 at a time', load: { ...baseLoad, ...connects, kind: 'reconnect' } },
  {
    name: 'idle connections, 10000',
    goal: atMost(8),
    load: { ...baseLoad, kind: 'idle', publishers: 10_000, measureMs: 2_000 },
  },
];
