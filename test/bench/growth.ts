// How the broker bears growth and floods, through its sockets: throughput and memory with more and
// more connections, the latency of one client's messages while others flood, and the longest pause
// with very many sessions. `tsx test/bench/growth.ts [connections|flood|sessions]...`

import {
  availableBrokers,
  type BrokerName,
  type RunningBroker,
  residentBytes,
  startBroker,
} from './brokers.ts';
import { startLoad } from './load/run-generator.ts';
import type { Load, LoadResult } from './load/types.ts';
import { baseLoad } from './scenarios.ts';

const brokers = availableBrokers().filter((name) => name !== 'aedes');

const base = { ...baseLoad, ratePerSecond: 2_000, measureMs: 3_000 } as const;

const parts: Record<string, (name: BrokerName) => Promise<void>> = {
  connections,
  flood,
  sessions,
};
const chosen = process.argv.slice(2);
for (const [part, run] of Object.entries(parts)) {
  if (chosen.length > 0 && !chosen.includes(part)) continue;
  for (const name of brokers) await run(name);
}

function loadFor(broker: RunningBroker, load: Partial<Load>): Load {
  const target = { host: '127.0.0.1', port: broker.port };
  return { ...base, ...load, publishAt: target, subscribeAt: target };
}

function report(name: string, what: string, text: string): void {
  console.log(`${name.padEnd(10)} ${what.padEnd(34)} ${text}`);
}

/** Pairs at full speed among more and more idle connections. */
async function connections(name: BrokerName): Promise<void> {
  for (const count of [0, 100, 1_000, 10_000]) {
    const broker = await startBroker(name);
    const pid = broker.process.pid ?? 0;
    const before = residentBytes(pid);
    const idle = startLoad(loadFor(broker, { kind: 'idle', publishers: count, measureMs: 200 }));
    await idle.result;
    const memory = residentBytes(pid) - before;
    const pairs = { publishers: 50, subscribers: 50, filters: ['bench/{s}'] };
    const { rate } = await startLoad(loadFor(broker, pairs)).result;
    const each = count === 0 ? '' : `, ${(memory / 1024 / count).toFixed(1)} KB each`;
    report(name, `${count} idle connections`, `${rate.toFixed(0)} messages/s${each}`);
    idle.stop();
    await broker.stop();
  }
}

/** One client's latency, alone and while ten others publish as fast as they can. */
async function flood(name: BrokerName): Promise<void> {
  const broker = await startBroker(name);
  const probe = { kind: 'latency', topic: 'probe/{p}', filters: ['probe/+'] } as const;
  report(name, 'alone', latencyText(await startLoad(loadFor(broker, probe)).result));
  const flooders = { publishers: 10, subscribers: 10, filters: ['bench/{s}'], measureMs: 5_000 };
  const load = startLoad(loadFor(broker, { ...flooders, window: 1000 }));
  const during = await startLoad(loadFor(broker, { ...probe, warmupMs: 1_500 })).result;
  report(name, 'while 10 pairs flood', latencyText(during));
  const { rate } = await load.result;
  report(name, 'the flood', `${rate.toFixed(0)} messages/s`);
  await broker.stop();
}

/** Latency at a moderate rate with very many sessions that wait for their clients. */
async function sessions(name: BrokerName): Promise<void> {
  const broker = await startBroker(name);
  const pid = broker.process.pid ?? 0;
  const before = residentBytes(pid);
  for (const count of [0, 100_000]) {
    await startLoad(loadFor(broker, { kind: 'sessions', publishers: count })).result;
    const memory =
      count === 0 ? '' : `, ${((residentBytes(pid) - before) / 1024 / count).toFixed(1)} KB each`;
    const probe = { kind: 'latency', measureMs: 15_000 } as const;
    const result = await startLoad(loadFor(broker, probe)).result;
    report(name, `${count} sessions`, `${latencyText(result)}${memory}`);
  }
  await broker.stop();
}

function latencyText({ p50, p99, max }: LoadResult): string {
  const show = (value: number | undefined): string => `${(value ?? Number.NaN).toFixed(0)} us`;
  return `p50 ${show(p50)}, p99 ${show(p99)}, max ${show(max)}`;
}
