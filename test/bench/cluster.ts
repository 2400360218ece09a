// Messages from one node to another: two Shoal nodes beside two mosquittos with a bridge, in turns,
// on the same machine. Needs dist/shoal.js and Debian's mosquitto.
//   node --import tsx test/bench/cluster.ts [rounds] [seconds] [part of a scenario's name]

import {
  type RunningBroker,
  startMosquittoBridge,
  startShoal,
  untilJoined,
} from './cluster/brokers.ts';
import type { LoadPlan } from './cluster/plan.ts';
import { BROKER_CORE, type Measured, runLoad } from './cluster/run-load.ts';

const [rounds = 3, seconds = 3] = process.argv.slice(2, 4).map(Number);
const wanted = process.argv[4] ?? '';
/** All nodes share one core, so that the other is the generator's alone; SHOAL_BENCH_FREE=1 lets them roam. */
const core = process.env.SHOAL_BENCH_FREE === '1' ? undefined : BROKER_CORE;
const PAIRS = 50;

interface Scenario {
  readonly name: string;
  readonly qos: 0 | 1;
  readonly payloadBytes: number;
  readonly pace: LoadPlan['pace'];
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'QoS 0, 64 B, window 100', qos: 0, payloadBytes: 64, pace: { window: 100 } },
  { name: 'QoS 0, 64 B, window 1', qos: 0, payloadBytes: 64, pace: { window: 1 } },
  { name: 'QoS 0, 1 KB, window 100', qos: 0, payloadBytes: 1024, pace: { window: 100 } },
  { name: 'QoS 0, 3.9 KB, window 20', qos: 0, payloadBytes: 3900, pace: { window: 20 } },
  { name: 'QoS 1, 64 B, window 20', qos: 1, payloadBytes: 64, pace: { window: 20 } },
  { name: 'QoS 0, 64 B, 20,000/s', qos: 0, payloadBytes: 64, pace: { rate: 20_000 } },
  { name: 'QoS 0, 64 B, 2,000/s', qos: 0, payloadBytes: 64, pace: { rate: 2000 } },
];

interface System {
  readonly name: string;
  start(): Promise<RunningBroker[]>;
}

const SYSTEMS: readonly System[] = [
  { name: 'shoal', start: () => startShoal(2, core) },
  { name: 'shoal -encrypt', start: () => startShoal(2, core, ['-encrypt']) },
  { name: 'shoal -datagram', start: () => startShoal(2, core, ['-datagram=8952']) },
  { name: 'shoal, 3 nodes', start: () => startShoal(3, core) },
  { name: 'mosquitto bridge', start: () => startMosquittoBridge(core) },
];

async function measure(scenario: Scenario, brokers: readonly RunningBroker[]): Promise<Measured> {
  const [from, ...others] = brokers;
  if (from === undefined) throw new Error('no broker');
  // Every pair crosses; with three nodes each message arrives on both others.
  const subscribers = others.flatMap(({ port }) =>
    Array.from({ length: PAIRS }, (_, i) => ({ port, filter: `bench/${i}` })),
  );
  return runLoad(
    {
      version: 4,
      qos: scenario.qos,
      payloadBytes: scenario.payloadBytes,
      publishers: Array.from({ length: PAIRS }, (_, i) => ({
        port: from.port,
        topic: `bench/${i}`,
      })),
      subscribers,
      copies: others.length,
      pace: scenario.pace,
      warmupSeconds: 1,
      seconds,
    },
    brokers.map(({ pid }) => pid),
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function line(name: string, results: readonly Measured[]): string {
  const of = (value: (result: Measured) => number): number => median(results.map(value));
  const perSecond = of((r) => r.received / r.seconds);
  const cpu = of((r) => (r.cpuSeconds.reduce((a, b) => a + b, 0) / r.received) * 1e6);
  const lost = results.reduce((sum, r) => sum + r.lost, 0);
  const disordered = results.reduce((sum, r) => sum + r.disordered, 0);
  return [
    name.padEnd(18),
    `${Math.round(perSecond).toLocaleString('en')}/s`.padStart(12),
    `p50 ${of((r) => r.latencyUs.p50)} us`.padStart(15),
    `p99 ${of((r) => r.latencyUs.p99)} us`.padStart(15),
    `${cpu.toFixed(1)} CPU s/million`.padStart(20),
    `lost ${lost}`.padStart(12),
    `disordered ${disordered}`.padStart(16),
  ].join('');
}

const running = new Map<string, RunningBroker[]>();
try {
  for (const system of SYSTEMS) {
    const brokers = await system.start();
    running.set(system.name, brokers);
    for (const to of brokers.slice(1)) await untilJoined(brokers[0]?.port ?? 0, to.port);
  }
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(wanted))) {
    const results = new Map<string, Measured[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [name, brokers] of running) {
        const list = results.get(name) ?? [];
        list.push(await measure(scenario, brokers));
        results.set(name, list);
      }
    }
    console.log(`\n${PAIRS} pairs across, ${scenario.name}; medians of ${rounds} x ${seconds} s`);
    for (const [name, list] of results) console.log(`  ${line(name, list)}`);
  }
} finally {
  for (const broker of [...running.values()].flat()) await broker.stop();
}
