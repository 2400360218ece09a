// Measures membership of Shoal and serf in network namespaces, alternately in the same run:
//
//   tsx test/bench/membership/run.ts --sizes 3,5,10 --trials 7 --parts form,steady,kill,stop,heal,loss
//       --systems shoal,serf --out results.json
//
// Results that the file already has are not measured again, so a long plan can be run in parts.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Agent, missingTool, SYSTEMS, type SystemName } from './agents.ts';
import { BenchNetwork } from './network.ts';
import { type Results, tableOf } from './report.ts';

type Figures = Record<string, readonly number[]>;

const SETTLE_MS = 12_000;
const STEADY_MS = 30_000;
const LOSS_MS = 60_000;
const PARTITION_MS = 30_000;
const LIMIT_MS = 60_000;
/** The result if nothing happened within LIMIT_MS. */
const NEVER = -1;

class Cluster {
  readonly network: BenchNetwork;
  readonly size: number;
  readonly #system: SystemName;
  agents: Agent[] = [];

  constructor(system: SystemName, size: number, network: BenchNetwork) {
    this.#system = system;
    this.size = size;
    this.network = network;
  }

  start(node: number): Agent {
    const agent = new Agent(SYSTEMS[this.#system], node, this.network);
    this.agents = [...this.agents.filter((one) => one.node !== node), agent];
    return agent;
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.kill()));
    this.agents = [];
  }

  isWhole(): boolean {
    return (
      this.agents.length === this.size &&
      this.agents.every((agent) => agent.onlineCount() === this.size - 1)
    );
  }

  others(than: Agent): Agent[] {
    return this.agents.filter((agent) => agent !== than);
  }

  /** @returns milliseconds until the condition holds, or NEVER */
  async until(isDone: () => boolean, limitMs = LIMIT_MS): Promise<number> {
    const begin = performance.now();
    while (!isDone()) {
      if (performance.now() - begin > limitMs) return NEVER;
      await sleep(5);
    }
    return performance.now() - begin;
  }

  offlineEvents(): number {
    return this.agents.reduce((sum, agent) => sum + agent.offlineEvents, 0);
  }
}

/** Starts all processes at once; counts from the complete start of the last one. */
async function form(cluster: Cluster): Promise<Figures> {
  await cluster.stop();
  for (let node = 1; node <= cluster.size; node++) cluster.start(node);
  await cluster.until(() => cluster.agents.every((agent) => agent.readyAt !== undefined));
  return { formMs: [await cluster.until(() => cluster.isWhole())] };
}

async function steady(cluster: Cluster): Promise<Figures> {
  const read = () =>
    cluster.agents.map((agent) => ({ ...cluster.network.sent(agent.node), ...agent.usage() }));
  const before = read();
  await sleep(STEADY_MS);
  const seconds = STEADY_MS / 1000;
  const after = read();
  const rate = (key: 'bytes' | 'packets' | 'cpuSeconds'): number[] =>
    after.map((one, index) => (one[key] - before[index]![key]) / seconds);
  return {
    bytesPerSecond: rate('bytes'),
    packetsPerSecond: rate('packets'),
    cpuPercent: rate('cpuSeconds').map((share) => share * 100),
    residentMegabytes: after.map((one) => one.residentMegabytes),
  };
}

/** Kills one node (kill -9), then restarts it. */
async function kill(cluster: Cluster, trials: number): Promise<Figures> {
  const detectMs: number[] = [];
  const rejoinMs: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const victim = cluster.agents[trial % cluster.agents.length]!;
    await sleep(Math.random() * 2000);
    const others = cluster.others(victim);
    await victim.kill();
    detectMs.push(
      await cluster.until(() => others.every((one) => one.sees(victim.name) === 'offline')),
    );
    await sleep(3000);
    const again = cluster.start(victim.node);
    await cluster.until(() => again.readyAt !== undefined);
    rejoinMs.push(await cluster.until(() => cluster.isWhole()));
    await sleep(4000);
  }
  return { detectMs, rejoinMs };
}

/** Stops one node (SIGSTOP): counts offline events, and the time from SIGCONT until all agree. */
async function stop(cluster: Cluster): Promise<Figures> {
  const figures: Record<string, number[]> = {};
  for (const seconds of [3, 10]) {
    const agent = cluster.agents[1]!;
    const before = cluster.offlineEvents();
    agent.signal('SIGSTOP');
    await sleep(seconds * 1000);
    agent.signal('SIGCONT');
    figures[`stop${seconds}BackMs`] = [await cluster.until(() => cluster.isWhole())];
    await sleep(6000);
    await cluster.until(() => cluster.isWhole());
    figures[`stop${seconds}Offline`] = [cluster.offlineEvents() - before];
  }
  return figures;
}

async function heal(cluster: Cluster, trials: number): Promise<Figures> {
  const healMs: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    cluster.network.cut(Math.floor(cluster.size / 2));
    await sleep(PARTITION_MS);
    cluster.network.cut(0);
    healMs.push(await cluster.until(() => cluster.isWhole()));
    await sleep(5000);
  }
  return { healMs };
}

async function loss(cluster: Cluster): Promise<Figures> {
  const before = cluster.offlineEvents();
  cluster.network.setLoss(20);
  await sleep(LOSS_MS);
  const falseOffline = [cluster.offlineEvents() - before];
  cluster.network.setLoss(0);
  return { falseOffline };
}

const PARTS = ['form', 'steady', 'kill', 'stop', 'heal', 'loss'] as const;
type Part = (typeof PARTS)[number];

function runPart(part: Part, cluster: Cluster, trials: number): Promise<Figures> {
  switch (part) {
    case 'form':
      return form(cluster);
    case 'steady':
      return steady(cluster);
    case 'kill':
      return kill(cluster, trials);
    case 'stop':
      return stop(cluster);
    case 'heal':
      return heal(cluster, Math.min(trials, 2));
    case 'loss':
      return loss(cluster);
  }
}

function describe(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const round = (value: number): string =>
    Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
  const middle = sorted[sorted.length >> 1] ?? Number.NaN;
  return sorted.length === 1
    ? round(middle)
    : `${round(middle)} (${round(sorted[0]!)} to ${round(sorted.at(-1)!)})`;
}

async function measure(
  system: SystemName,
  size: number,
  parts: readonly Part[],
  trials: number,
  results: Results,
  save: () => void,
): Promise<void> {
  const key = (part: Part): string => `${system}/${size}/${part}`;
  const open = parts.filter((part) => results[key(part)] === undefined);
  if (open.length === 0) return;
  // The tag lets several sizes and systems run at the same time.
  const network = new BenchNetwork(`sw${size}${system.at(-1)}`, size);
  const cluster = new Cluster(system, size, network);
  try {
    const formed = await form(cluster);
    if (open.includes('form')) results[key('form')] = formed;
    await sleep(SETTLE_MS);
    for (const part of open) {
      if (part !== 'form') results[key(part)] = await runPart(part, cluster, trials);
      await cluster.until(() => cluster.isWhole());
      save();
      for (const [figure, values] of Object.entries(results[key(part)] ?? {})) {
        console.log(`${system} N=${size} ${figure}: ${describe(values)}`);
      }
    }
  } finally {
    await cluster.stop();
    network.remove();
  }
}

const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'string', default: '3,5,10' },
    trials: { type: 'string', default: '7' },
    parts: { type: 'string', default: PARTS.join() },
    systems: { type: 'string', default: 'shoal,serf' },
    out: { type: 'string' },
  },
});
const systems = flags.systems.split(',') as SystemName[];
const missing = missingTool(systems);
if (missing !== undefined) {
  console.log(`skipped: ${missing}`);
  process.exit(0);
}
const { out } = flags;
const results: Results =
  out !== undefined && existsSync(out) ? JSON.parse(readFileSync(out, 'utf8')) : {};
const save = (): void => {
  if (out !== undefined) writeFileSync(out, `${JSON.stringify(results, null, 1)}\n`);
};
for (const size of flags.sizes.split(',').map(Number)) {
  for (const system of systems) {
    const parts = PARTS.filter((part) => flags.parts.split(',').includes(part));
    await measure(system, size, parts, Number(flags.trials), results, save);
  }
}
console.log(tableOf(results));
