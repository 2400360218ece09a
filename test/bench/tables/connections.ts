// Throughput and memory with a growing number of idle connections beside the load.

import { type BrokerName, residentBytes, startBroker } from '../brokers.ts';
import { atMost, judged } from '../goals.ts';
import { connectionsMax } from '../load/descriptors.ts';
import { startLoad } from '../load/run-generator.ts';
import { baseLoad, loadAt } from '../scenarios.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  percent,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

const COUNTS = [1, 100, 1_000, 10_000, 20_000];
const PAIRS = 50;
/** With fewer connections, the memory that all of them share would count. */
const GOAL_FROM = 10_000;
const KILOBYTES_GOAL = atMost(8);

export const connectionsTable: Table = {
  name: 'connections',
  title: 'Connections from 1 to 20,000',
  minutes: { eachRun: 0, once: 1.4 },
  measure,
  markdown,
};

async function measure({ brokers, say }: Run): Promise<Figures> {
  const figures: Figures = {};
  for (const count of COUNTS) {
    let row: Row = {};
    for (const name of brokers.filter((broker) => broker !== 'aedes')) {
      say(`${count} connections to ${name}`);
      row = { ...row, ...(await amid(name, count)) };
    }
    figures[String(count)] = row;
  }
  return figures;
}

/** Measures 50 pairs at full speed among the idle connections. */
async function amid(name: BrokerName, wanted: number): Promise<Row> {
  const broker = await startBroker(name);
  const count = Math.min(wanted, connectionsMax(broker.pid) - 2 * PAIRS);
  const base = loadAt(broker, { ...baseLoad, measureMs: 3_000 });
  const before = residentBytes(broker.pid);
  const startedAt = performance.now();
  const idle = startLoad({ ...base, kind: 'idle', publishers: count, measureMs: 200 });
  try {
    await idle.result;
    const seconds = (performance.now() - startedAt) / 1000;
    const kilobytes = (residentBytes(broker.pid) - before) / 1024;
    const pairs = { publishers: PAIRS, subscribers: PAIRS, filters: ['bench/{s}'] };
    const { rate, brokerUs, brokerBusy } = await startLoad({ ...base, ...pairs }).result;
    return {
      ...{ [`${name}.count`]: count, [`${name}.rate`]: rate, [`${name}.seconds`]: seconds },
      [`${name}.brokerUs`]: brokerUs ?? Number.NaN,
      [`${name}.busy`]: brokerBusy ?? Number.NaN,
      [`${name}.kilobytes`]: kilobytes,
    };
  } finally {
    idle.stop();
    await broker.stop();
  }
}

function markdown(figures: Figures): string {
  const rows = Object.entries(figures).map(([wanted, row]) => {
    const count = figure(row, 'shoal.count');
    const kilobytes = (name: string): string => {
      const all = figure(row, `${name}.kilobytes`);
      return count < 1_000 ? `${amount(all / 1024)} MB in total` : `${amount(all / count)} KB each`;
    };
    return [
      count < Number(wanted)
        ? `${amount(Number(wanted))}; only ${amount(count)} possible here`
        : amount(count),
      amount(figure(row, 'shoal.rate')),
      amount(figure(row, 'shoal.brokerUs')),
      percent(figure(row, 'shoal.busy')),
      kilobytes('shoal'),
      count < GOAL_FROM ? '-' : judged(KILOBYTES_GOAL, figure(row, 'shoal.kilobytes') / count),
      amount(figure(row, 'mosquitto.rate')),
      amount(figure(row, 'mosquitto.brokerUs')),
      kilobytes('mosquitto'),
    ];
  });
  const head = [
    'idle connections',
    'Shoal, messages/s',
    'CPU a message, us',
    'own core busy',
    'memory',
    'goal, KB each',
    'mosquitto, messages/s',
    'CPU a message, us',
    'memory',
  ];
  const lines = [markdownTable(head, rows)];
  const short = Object.entries(figures).find(([n, row]) => figure(row, 'shoal.count') < Number(n));
  if (short !== undefined) {
    lines.push(
      '',
      `The descriptor limit of the test machine (\`ulimit -Hn\`) is below what ${amount(Number(short[0]))} connections need, so`,
      'the last row has fewer.',
    );
  }
  return lines.join('\n');
}
