// Fair reading: the latency of one client's messages, alone and while ten pairs publish at full speed.

import { type BrokerName, startBroker } from '../brokers.ts';
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
  minutes: { eachRun: 0, once: 0.4 },
  measure,
  markdown,
};

const P50_MS_GOAL = atMost(0.3);

const probe: Partial<LoadShape> = {
  ...{ kind: 'latency', topic: 'probe/{p}', filters: ['probe/+'] },
  ...{ ratePerSecond: 2_000, measureMs: 3_000 },
};
const flooders: Partial<LoadShape> = {
  ...{ publishers: 10, subscribers: 10, filters: ['bench/{s}'] },
  ...{ window: 1_000, measureMs: 6_000 },
};

async function measure({ brokers, say }: Run): Promise<Figures> {
  const figures: Figures = {};
  for (const name of brokers.filter((broker) => broker !== 'aedes')) {
    say(`flood on ${name}`);
    figures[name] = await amidFlood(name);
  }
  return figures;
}

async function amidFlood(name: BrokerName): Promise<Row> {
  const broker = await startBroker(name);
  const alone = await startLoad(loadAt(broker, { ...baseLoad, ...probe })).result;
  const flood = startLoad(loadAt(broker, { ...baseLoad, ...flooders }));
  const amid = await startLoad(loadAt(broker, { ...baseLoad, ...probe, warmupMs: 1_500 })).result;
  const { rate } = await flood.result;
  await broker.stop();
  return {
    ...{ aloneP50: alone.p50 ?? Number.NaN, aloneP99: alone.p99 ?? Number.NaN },
    ...{ p50: amid.p50 ?? Number.NaN, p99: amid.p99 ?? Number.NaN, max: amid.max ?? Number.NaN },
    flood: rate,
  };
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
