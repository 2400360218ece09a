// Pauses with 100,000 offline sessions: messages pass through at a fixed rate while others are queued for
// the sessions. The table compares the longest latencies with their possible causes: the broker's garbage
// collections (--trace-gc), the generator's own standstills, and the delays of a process that only wakes
// at fixed times (load/noise.ts).

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type BrokerName, residentBytes, startBroker } from '../brokers.ts';
import { atMost, judged } from '../goals.ts';
import { BROKER_CORE, GENERATOR_CORE, wallMs } from '../load/clock.ts';
import { startLoad } from '../load/run-generator.ts';
import type { Stretch } from '../load/types.ts';
import { baseLoad, loadAt } from '../scenarios.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

const SESSIONS = 100_000;
const RATE = 10_000;
const WARMUP_MS = 2_000;
const MEASURE_MS = 15_000;
/** The broker itself causes no longer pause. */
const PAUSE_MS_GOAL = atMost(5);
/** Longer pauses of the broker are counted. */
const LONG_MS = 10;
const WORST_TOLD = 5;

export const pausesTable: Table = {
  name: 'pauses',
  title: 'Pauses with 100,000 sessions',
  minutes: { eachRun: 0, once: 3 },
  measure,
  markdown,
};

interface Case {
  readonly name: string;
  readonly broker: BrokerName;
  readonly sessions: number;
  readonly hasData?: boolean;
  readonly isFree?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'Shoal, no sessions', broker: 'shoal', sessions: 0 },
  { name: 'Shoal', broker: 'shoal', sessions: SESSIONS },
  { name: 'Shoal, `-data`', broker: 'shoal', sessions: SESSIONS, hasData: true },
  {
    name: 'Shoal, `-data`, on both cores',
    broker: 'shoal',
    sessions: SESSIONS,
    hasData: true,
    isFree: true,
  },
  { name: 'mosquitto', broker: 'mosquitto', sessions: SESSIONS },
];

async function measure({ brokers, words, say }: Run): Promise<Figures> {
  const figures: Figures = {};
  for (const one of CASES) {
    if (!brokers.includes(one.broker) || !words.every((word) => one.name.includes(word))) continue;
    say(one.name);
    figures[one.name] = await pausesOf(one);
  }
  return figures;
}

interface Cause extends Stretch {
  readonly kind: string;
}

/** Reads V8's lines about garbage collections, whose clock starts with the process, and log lines. */
class OutputTrace {
  readonly #seen: { endMs: number; ms: number; kind: string }[] = [];
  /** Time at which the process's clock was 0: no line is read before it was written. */
  #origin = Number.POSITIVE_INFINITY;
  readonly #snapshots: number[] = [];

  read(line: string): void {
    if (line.includes('event="snapshot written"')) this.#snapshots.push(wallMs());
    const found =
      /\s(\d+) ms: ([A-Z][A-Za-z-]+).*? MB, (?:pooled: \S+ MB, )?([\d.]+) \/ [\d.]+ ms/.exec(line);
    if (found === null) return;
    const [, at, kind = '', ms] = found;
    this.#seen.push({ endMs: Number(at), ms: Number(ms), kind });
    this.#origin = Math.min(this.#origin, wallMs() - Number(at));
  }

  snapshotsSince(at: number): number {
    return this.#snapshots.filter((written) => written > at).length;
  }

  get collections(): Cause[] {
    return this.#seen.map(({ endMs, ms, kind }) => ({ at: this.#origin + endMs - ms, ms, kind }));
  }
}

interface Noise {
  /** Delays of a process with the highest priority, milliseconds. */
  readonly lateMax: number;
  readonly late: readonly Stretch[];
  /** Stretches in which the watched process was ready but another one, or its helper thread, ran. */
  readonly waits: readonly Stretch[];
}

/** Watches one core, and one process on it, during a measurement. */
function noiseOn(core: number, pid: number): Promise<Noise> {
  const file = join(import.meta.dirname, '../load/noise.ts');
  const node = [process.execPath, '--import', 'tsx', file];
  const args = [String(WARMUP_MS + MEASURE_MS), String(pid)];
  const child = spawn('taskset', ['-c', String(core), ...node, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.once('error', reject).once('close', () => resolve(JSON.parse(text)));
  });
}

async function pausesOf({ broker: name, sessions, hasData, isFree }: Case): Promise<Row> {
  const trace = new OutputTrace();
  const isShoal = name === 'shoal';
  const broker = await startBroker(name, {
    hasData: hasData === true,
    isFree: isFree === true,
    ...(isShoal && { nodeFlags: ['--trace-gc'], onLine: (line) => trace.read(line) }),
  });
  try {
    const before = residentBytes(broker.pid);
    const timing = { ratePerSecond: RATE, warmupMs: WARMUP_MS, measureMs: MEASURE_MS };
    const base = loadAt(broker, { ...baseLoad, ...timing });
    await startLoad({ ...base, kind: 'sessions', publishers: sessions }).result;
    const kilobytes = (residentBytes(broker.pid) - before) / 1024 / sessions;
    const load = startLoad({ ...base, kind: 'pauses', publishers: sessions });
    const noise = [noiseOn(BROKER_CORE, broker.pid), noiseOn(GENERATOR_CORE, load.pid)];
    const result = await load.result;
    const until = wallMs();
    const [onBroker = QUIET, onGenerator = QUIET] = await Promise.all(noise);
    const collections = trace.collections.filter(({ at }) => at > until - MEASURE_MS && at < until);
    const causes: readonly Cause[] = [
      ...[...onBroker.late, ...onGenerator.late].map((late) => ({ ...late, kind: MACHINE })),
      ...collections,
      ...onBroker.waits.map((wait) => ({ ...wait, kind: WAITED })),
      ...[...onGenerator.waits, ...(result.generatorGaps ?? [])].map((gap) => ({
        ...gap,
        kind: GENERATOR,
      })),
    ];
    const judged = (result.worst ?? []).map((pause) => ({
      ...pause,
      cause: causeOf(pause, causes),
    }));
    const own = judged.filter(({ cause }) => !FOREIGN.includes(cause));
    const longest = collections.toSorted((a, b) => b.ms - a.ms)[0];
    return {
      ...{ p50: result.p50 ?? Number.NaN, p99: result.p99 ?? Number.NaN },
      ...{ p999: result.p999 ?? Number.NaN, max: result.max ?? Number.NaN },
      ownMs: own[0]?.ms ?? 0,
      ownOver: own.filter(({ ms }) => ms > LONG_MS).length,
      worst: judged
        .slice(0, WORST_TOLD)
        .map(({ ms, cause }) => `${amount(ms)} (${cause})`)
        .join('; '),
      ...{
        noiseBroker: onBroker.lateMax,
        noiseGenerator: onGenerator.lateMax,
      },
      ...{ gcMs: longest?.ms ?? 0, gcKind: longest?.kind ?? '' },
      ...(sessions > 0 && { kilobytes }),
      ...(hasData && { snapshots: trace.snapshotsSince(until - MEASURE_MS) }),
    };
  } finally {
    await broker.stop();
  }
}

const QUIET: Noise = { lateMax: Number.NaN, late: [], waits: [] };
const MACHINE = 'the machine';
const WAITED = 'waited for its core';
const GENERATOR = 'the generator';
const OTHER = 'the broker, no collection';
const FOREIGN = [MACHINE, GENERATOR];

/** @returns the first kind of cause whose stretches together cover a good part of the pause */
function causeOf(pause: Stretch, causes: readonly Cause[]): string {
  const covered = new Map<string, number>();
  for (const { kind, at, ms } of causes) {
    const overlap = Math.min(pause.at + pause.ms, at + ms) - Math.max(pause.at, at);
    if (overlap > 0) covered.set(kind, (covered.get(kind) ?? 0) + overlap);
  }
  const enough = [...covered].find(([, ms]) => ms > pause.ms / 3);
  return enough?.[0] ?? OTHER;
}

function markdown(figures: Figures): string {
  const head = [
    `${amount(SESSIONS)} sessions, ${amount(RATE)} messages/s`,
    'p50, p99, p99.9, us',
    'longest, ms',
    'longest of the broker, ms',
    'goal, ms',
    `broker pauses over ${LONG_MS} ms`,
    'longest collection, ms',
    "machine, ms: broker's core, generator's",
    'KB a session',
  ];
  const rows = Object.entries(figures).map(([name, row]) => [
    name,
    ['p50', 'p99', 'p999'].map((key) => amount(figure(row, key))).join(', '),
    amount(figure(row, 'max') / 1000),
    figure(row, 'ownMs') === 0 ? 'under 1' : amount(figure(row, 'ownMs')),
    judged(name.startsWith('Shoal') ? PAUSE_MS_GOAL : undefined, figure(row, 'ownMs')),
    String(figure(row, 'ownOver')),
    row.gcKind === '' ? '-' : `${amount(figure(row, 'gcMs'))} (${row.gcKind})`,
    `${amount(figure(row, 'noiseBroker'))}, ${amount(figure(row, 'noiseGenerator'))}`,
    amount(figure(row, 'kilobytes')),
  ]);
  const worst = Object.entries(figures).map(([name, row]) => {
    const snapshots = 'snapshots' in row ? `, snapshots written meanwhile: ${row.snapshots}` : '';
    return `- ${name}${snapshots}: ${row.worst || 'none over 1 ms'}`;
  });
  return [
    markdownTable(head, rows),
    '',
    'The longest pauses in milliseconds, with their causes:',
    '',
    ...worst,
  ].join('\n');
}
