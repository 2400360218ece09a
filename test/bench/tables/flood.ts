// Fair reading: the latency of one client's messages, alone and while ten pairs publish at full speed. The client is the
// generator in C, with real-time priority: it shares its core with the generator of the flood, and would wait for that.

import { spawnSync } from 'node:child_process';
import { type BrokerName, type RunningBroker, startBroker } from '../brokers.ts';
import {
  CompiledGenerator,
  type GeneratorOptions,
  type GeneratorResult,
  missingCompiler,
} from '../generator/compiled.ts';
import { atMost, judged } from '../goals.ts';
import { startLoad } from '../load/run-generator.ts';
import type { LoadShape } from '../load/types.ts';
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

export const floodTable: Table = {
  name: 'flood',
  title: 'One client while others flood',
  minutes: { eachRun: 0, once: 0.5 },
  missing: missingCompiler,
  measure,
  markdown,
};

const P50_MS_GOAL = atMost(0.3);

const PROBE = { pairs: 1, rate: 2_000, sleep: 1, seconds: 3 } as const;
/** The probe begins when the flood is at full speed. */
const FLOOD_WARMUP_SECONDS = 1.5;
const REAL_TIME = ['chrt', '-f', '10'];
const flooders: Partial<LoadShape> = {
  ...{ publishers: 10, subscribers: 10, topic: 'flood/{p}', filters: ['flood/{s}'] },
  ...{ window: 1_000, measureMs: 6_000 },
};

async function measure({ brokers, say }: Run): Promise<Figures> {
  const generator = new CompiledGenerator();
  try {
    const figures: Figures = {};
    for (const name of brokers.filter((broker) => broker !== 'aedes')) {
      say(`flood on ${name}`);
      figures[name] = await amidFlood(name, generator);
    }
    return figures;
  } finally {
    generator.remove();
  }
}

async function amidFlood(name: BrokerName, generator: CompiledGenerator): Promise<Row> {
  const broker = await startBroker(name);
  try {
    const alone = await probe(generator, broker, {});
    const flood = startLoad(loadAt(broker, { ...baseLoad, ...flooders }));
    const amid = await probe(generator, broker, { warmup: FLOOD_WARMUP_SECONDS });
    const { rate } = await flood.result;
    return {
      ...{ aloneP50: alone.p50 ?? Number.NaN, aloneP99: alone.p99 ?? Number.NaN },
      ...{ p50: amid.p50 ?? Number.NaN, p99: amid.p99 ?? Number.NaN, max: amid.max ?? Number.NaN },
      flood: rate,
    };
  } finally {
    await broker.stop();
  }
}

function probe(
  generator: CompiledGenerator,
  { port }: RunningBroker,
  options: Partial<GeneratorOptions>,
): Promise<GeneratorResult> {
  const isAllowed = spawnSync(REAL_TIME[0]!, [...REAL_TIME.slice(1), 'true']).status === 0;
  const load = { publish: `127.0.0.1:${port}`, ...PROBE, ...options };
  return generator.run(load, isAllowed ? REAL_TIME : []);
}

function markdown(figures: Figures): string {
  const head = [
    '',
    'alone: p50, p99',
    'during the flood: p50, p99, longest',
    'goal for p50, ms',
    'the flood, messages/s',
  ];
  const rows = Object.entries(figures).map(([name, row]) => {
    const ms = (key: string): string => `${amount(figure(row, key) / 1000)} ms`;
    return [
      name === 'shoal' ? 'Shoal' : name,
      `${ms('aloneP50')}, ${ms('aloneP99')}`,
      `${ms('p50')}, ${ms('p99')}, ${ms('max')}`,
      judged(name === 'shoal' ? P50_MS_GOAL : undefined, figure(row, 'p50') / 1000),
      amount(figure(row, 'flood')),
    ];
  });
  return markdownTable(head, rows);
}
