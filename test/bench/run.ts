// `npm run bench [-- scenario words] [--runs N] [--brokers a,b] [--json FILE]`: every scenario on
// every broker in turn, several times over, and the medians as ratios to mosquitto in the same run.
// Broker and generator each have a core; how busy the generator was is printed, since a generator
// at its limit measures itself.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  availableBrokers,
  type BrokerName,
  cpuSeconds,
  type RunningBroker,
  residentBytes,
  startBroker,
} from './brokers.ts';
import { startLoad } from './load/run-generator.ts';
import type { Load, LoadResult } from './load/types.ts';
import { type Scenario, scenarios } from './scenarios.ts';

interface Sample extends LoadResult {
  /** Share of its core that the broker used. */
  readonly brokerBusy?: number;
  /** For each connection. */
  readonly idleKilobytes?: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    brokers: { type: 'string', default: availableBrokers().join(',') },
    json: { type: 'string' },
  },
});
const brokers = values.brokers.split(',') as BrokerName[];
const chosen = scenarios.filter(({ name }) => positionals.every((word) => name.includes(word)));
const results: Record<string, Record<string, Sample[]>> = {};

for (let run = 0; run < Number(values.runs); run++) {
  for (const scenario of chosen) {
    for (const name of brokers) {
      record(scenario.name, name, await measure(name, scenario));
    }
  }
}
printTable();
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 2));

function record(scenario: string, broker: string, sample: Sample): void {
  results[scenario] ??= {};
  const samples = results[scenario][broker] ?? [];
  results[scenario][broker] = [...samples, sample];
}

async function measure(name: BrokerName, scenario: Scenario): Promise<Sample> {
  const broker = await startBroker(name);
  try {
    return await drive(broker, scenario);
  } finally {
    await broker.stop();
  }
}

async function drive(broker: RunningBroker, { load }: Scenario): Promise<Sample> {
  const target = { host: '127.0.0.1', port: broker.port };
  const whole: Load = { ...load, publishAt: target, subscribeAt: target };
  // taskset becomes the command it starts, so its pid is the broker's.
  const pid = broker.process.pid ?? 0;
  const memoryBefore = residentBytes(pid);
  const cpuBefore = cpuSeconds(pid);
  const startedAt = performance.now();
  const generator = startLoad(whole);
  const result = await generator.result;
  const brokerBusy = (cpuSeconds(pid) - cpuBefore) / ((performance.now() - startedAt) / 1000);
  if (load.kind !== 'idle') return { ...result, brokerBusy };
  const idleKilobytes = (residentBytes(pid) - memoryBefore) / 1024 / load.publishers;
  generator.stop();
  return { ...result, idleKilobytes };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function printTable(): void {
  const reference = brokers.includes('mosquitto') ? 'mosquitto' : brokers[0]!;
  console.log(`medians of ${values.runs} runs; in brackets the ratio to ${reference}\n`);
  for (const { name, load } of chosen) {
    console.log(name);
    for (const broker of brokers) {
      console.log(`  ${broker.padEnd(10)} ${describe(load.kind, name, broker, reference)}`);
    }
  }
}

function describe(kind: Load['kind'], name: string, broker: string, reference: string): string {
  const pick = (of: string, key: keyof Sample): number =>
    median((results[name]?.[of] ?? []).map((sample) => sample[key] ?? Number.NaN));
  const show = (key: keyof Sample, unit: string): string => {
    const value = pick(broker, key);
    const digits = value < 100 ? 1 : 0;
    const ratio = (value / pick(reference, key)).toFixed(2);
    return `${value.toFixed(digits).padStart(10)} ${unit} (${ratio})`;
  };
  if (kind === 'latency') return `p50 ${show('p50', 'us')}   p99 ${show('p99', 'us')}`;
  if (kind === 'idle') return show('idleKilobytes', 'KB each');
  if (kind === 'churn') return show('rate', 'connects/s');
  const busy = `broker ${percent(pick(broker, 'brokerBusy'))}, generator ${percent(pick(broker, 'generatorBusy'))}`;
  return `${show('rate', 'messages/s')}   ${busy}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
