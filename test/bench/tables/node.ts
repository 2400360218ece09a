// One node and other brokers: each scenario on each broker in turn, several times. The table shows the
// rate and the broker's processor time for each message, which no generator can limit.

import {
  type BrokerName,
  type RunningBroker,
  residentBytes,
  startBroker,
  startSplice,
} from '../brokers.ts';
import { type Goal, judged, LATENCY_GOALS } from '../goals.ts';
import { startLoad } from '../load/run-generator.ts';
import type { LoadShape } from '../load/types.ts';
import { loadAt, type Scenario, scenarios } from '../scenarios.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  medians,
  percent,
  prefixed,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

/** A core counts as full from this share on. */
const FULL = 0.97;
const REFERENCE: BrokerName = 'mosquitto';

export const nodeTable: Table = {
  name: 'node',
  title: 'One node beside other brokers',
  minutes: { eachRun: 1.4, once: 1.3 },
  measure,
  markdown,
};

async function measure({ runs, brokers, words, say }: Run): Promise<Figures> {
  const chosen = scenarios.filter(({ name }) => words.every((word) => name.includes(word)));
  const samples: Record<string, Row[]> = {};
  for (let run = 0; run < runs; run++) {
    for (const scenario of chosen) {
      say(`run ${run + 1} of ${runs}: ${scenario.name}`);
      let row: Row = {};
      for (const name of brokers) {
        // Only a broker to compare with, whose figures depend little on the run.
        if (name === 'aedes' && run > 0) continue;
        row = { ...row, ...(await onBroker(name, scenario)) };
      }
      samples[scenario.name] = [...(samples[scenario.name] ?? []), row];
    }
  }
  const figures: Figures = {};
  for (const scenario of chosen) {
    const row = medians(samples[scenario.name] ?? []);
    figures[scenario.name] = { ...row, ...(await onSplice(scenario, say)) };
  }
  return figures;
}

async function onBroker(name: BrokerName, { load }: Scenario): Promise<Row> {
  const broker = await startBroker(name);
  try {
    return prefixed(
      name,
      load.kind === 'idle' ? await idle(broker, load) : await drive(broker, load),
    );
  } finally {
    await broker.stop();
  }
}

/** Measures the generator's limit: the same load with two sockets in place of a broker. */
async function onSplice({ name, load }: Scenario, say: Run['say']): Promise<Row> {
  if (load.kind !== 'throughput') return {};
  say(`without a broker: ${name}`);
  const splice = await startSplice(load.publishers, load.subscribers, load.copies);
  try {
    return prefixed('splice', await drive(splice, load));
  } finally {
    await splice.stop();
  }
}

async function drive(broker: RunningBroker, load: LoadShape): Promise<Row> {
  const { worst, generatorGaps, ...row } = await startLoad(loadAt(broker, load)).result;
  return { ...row };
}

async function idle(broker: RunningBroker, load: LoadShape): Promise<Row> {
  const before = residentBytes(broker.pid);
  const generator = startLoad(loadAt(broker, load));
  await generator.result;
  const kilobytes = (residentBytes(broker.pid) - before) / 1024 / load.publishers;
  generator.stop();
  return { kilobytes };
}

function markdown(figures: Figures): string {
  return [
    throughputTable(figures),
    '',
    otherTable(figures),
    '',
    'Two checks that these figures measure the broker and not the generator: the generator uses only part of its',
    'own core above, and the same load runs below with spliced sockets (no MQTT at all) in place of the broker:',
    ...['', ceilingTable(figures)],
  ].join('\n');
}

const isThroughput = ([, row]: [string, Row]): boolean =>
  'shoal.brokerUs' in row && 'splice.rate' in row;

function throughputTable(figures: Figures): string {
  const head = [
    'scenario',
    'Shoal, messages/s',
    'times mosquitto',
    'goal',
    'CPU a message, us: Shoal, mosquitto',
    'mosquitto CPU to Shoal CPU',
    'own core busy: Shoal, mosquitto',
    'generator busy: with Shoal, mosquitto',
    'FlashMQ CPU to Shoal CPU',
    'aedes, times mosquitto',
  ];
  const rows = Object.entries(figures)
    .filter(isThroughput)
    .map(([name, row]) => [
      shown(name),
      amount(figure(row, 'shoal.rate')),
      ratio(row, 'shoal', 'rate'),
      judged(goalOf(name), times(row, 'shoal', 'rate')),
      `${amount(figure(row, 'shoal.brokerUs'))}, ${amount(figure(row, `${REFERENCE}.brokerUs`))}`,
      amount(figure(row, `${REFERENCE}.brokerUs`) / figure(row, 'shoal.brokerUs')),
      `${core(row, 'shoal')}, ${core(row, REFERENCE)}`,
      `${percent(figure(row, 'shoal.generatorBusy'))}, ${percent(figure(row, `${REFERENCE}.generatorBusy`))}`,
      amount(figure(row, 'flashmq.brokerUs') / figure(row, 'shoal.brokerUs')),
      ratio(row, 'aedes', 'rate'),
    ]);
  return markdownTable(head, rows);
}

const shown = (name: string): string => name.replace(/^qos/, 'QoS ');

/** Formats how busy the broker's core was; a core that was not full needs an explanation. */
function core(row: Row, broker: string): string {
  const busy = figure(row, `${broker}.brokerBusy`);
  if (busy >= FULL || !Number.isFinite(busy)) return percent(busy);
  const isIdle = figure(row, `${broker}.brokerIdle`) > 1 - FULL;
  return `${percent(busy)} (${isIdle ? 'not full' : 'others used the rest'})`;
}

const times = (row: Row, broker: string, key: string): number =>
  figure(row, `${broker}.${key}`) / figure(row, `${REFERENCE}.${key}`);

const ratio = (row: Row, broker: string, key: string): string => amount(times(row, broker, key));

const goalOf = (name: string): Goal | undefined =>
  scenarios.find((scenario) => scenario.name === name)?.goal;

function otherTable(figures: Figures): string {
  const lines: string[][] = [];
  const add = (name: string, row: Row, key: string, unit: string, goal?: Goal): void => {
    const value = figure(row, `shoal.${key}`);
    // Memory has a goal of its own, everything else one beside the reference.
    const judgement = judged(goal, key === 'kilobytes' ? value : times(row, 'shoal', key));
    const ratios = [ratio(row, 'shoal', key), judgement, ratio(row, 'aedes', key)];
    lines.push([name, `${amount(value)} ${unit}`, ...ratios]);
  };
  for (const [name, row] of Object.entries(figures)) {
    if ('shoal.p50' in row) {
      add(`${name}: p50`, row, 'p50', 'us', LATENCY_GOALS.p50);
      add(`${name}: p99`, row, 'p99', 'us', LATENCY_GOALS.p99);
    } else if ('shoal.kilobytes' in row) add(name, row, 'kilobytes', 'KB each', goalOf(name));
    else if (!('splice.rate' in row)) {
      // Not the measured rate: opening a connection costs the generator more than most brokers.
      const full = Object.fromEntries(
        ['shoal', REFERENCE, 'aedes'].map((broker) => [
          `${broker}.rate`,
          1e6 / figure(row, `${broker}.brokerUs`),
        ]),
      );
      add(name, full, 'rate', 'a second of a full core', goalOf(name));
      add(`${name}: CPU each`, row, 'brokerUs', 'us');
    }
  }
  return markdownTable(['', 'Shoal', 'times mosquitto', 'goal', 'aedes, times mosquitto'], lines);
}

function ceilingTable(figures: Figures): string {
  const head = [
    'scenario',
    'without a broker, messages/s',
    'generator busy then',
    'generator CPU a message, us: then, with Shoal',
    'generator limit, messages/s',
    'Shoal, messages/s',
    'limited by',
  ];
  const rows = Object.entries(figures)
    .filter(isThroughput)
    .map(([name, row]) => [
      shown(name),
      amount(figure(row, 'splice.rate')),
      percent(figure(row, 'splice.generatorBusy')),
      `${amount(figure(row, 'splice.generatorUs'))}, ${amount(figure(row, 'shoal.generatorUs'))}`,
      amount(1e6 / figure(row, 'shoal.generatorUs')),
      amount(figure(row, 'shoal.rate')),
      limitOf(row),
    ]);
  return markdownTable(head, rows);
}

function limitOf(row: Row): string {
  if (figure(row, 'shoal.brokerBusy') >= FULL) return 'the broker';
  if (figure(row, 'shoal.generatorBusy') >= FULL) return 'the generator';
  if (figure(row, 'shoal.brokerIdle') <= 1 - FULL)
    return 'the broker, on a core that others use too';
  return 'neither: each waits for the other';
}
