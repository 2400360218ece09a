// One node and other brokers again, measured by a second generator that shares no code with the first: the
// one in C. It counts losses, and its rows have more sizes. The raw limit is that of load/splice.ts.

import { startSplice } from '../brokers.ts';
import {
  addressOf,
  besideEachOther,
  CHURN,
  type GeneratorLoad,
  PAIRS,
  takeTurns,
} from '../generator/beside.ts';
import { CompiledGenerator, missingCompiler } from '../generator/compiled.ts';
import { atLeast, type Goal, type GoalsBeside, judged, LATENCY_GOALS } from '../goals.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  measureRows,
  ofEach,
  percent,
  type Row,
  type Run,
  readResults,
  type Table,
} from '../table.ts';

const KB = 1024;
/** The largest message that crosses between nodes has less than 4096 bytes with its topic. */
const LARGEST = 3900;

interface Scenario {
  readonly name: string;
  readonly load: GeneratorLoad;
  readonly goals?: GoalsBeside;
  /** The same row of the table "node". */
  readonly own?: string;
  /** Without MQTT, chunks of several publishers would mix: there is no raw limit then. */
  readonly hasRawLimit?: boolean;
}

const beside = (mosquitto?: number, flashmq?: number): GoalsBeside => ({
  ...(mosquitto !== undefined && { mosquitto: atLeast(mosquitto) }),
  ...(flashmq !== undefined && { flashmq: atLeast(flashmq) }),
});

const fanIn = (bytes: number, window: number, qos: 0 | 1 = 0): GeneratorLoad => ({
  publishers: 10,
  ...{ bytes, window, qos },
});
const pairs = (bytes: number, window: number, qos: 0 | 1 = 0): GeneratorLoad => ({
  ...PAIRS,
  ...{ bytes, window, qos },
});
const fanOut = (subscribers: number, bytes: number, window: number): GeneratorLoad => ({
  ...{ subscribers, bytes, window },
});
/** Few messages a second: V8 compiles what they need in the first seconds. */
const slowPairs: GeneratorLoad = { ...PAIRS, bytes: KB, rate: 2_000, seconds: 2 };

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'QoS 0 fan-in 10:1, 64 B, window 100',
    load: fanIn(64, 100),
    goals: beside(30, 1.8),
    own: 'qos0 fan-in 10:1, window 100',
  },
  {
    name: 'QoS 0 fan-in 10:1, 1 KB, window 100',
    load: fanIn(KB, 100),
    goals: beside(undefined, 1.1),
  },
  { name: 'QoS 0 fan-in 10:1, 3.9 KB, window 20', load: fanIn(LARGEST, 20) },
  {
    name: 'QoS 0 pairs 50:50, 64 B, window 100',
    load: pairs(64, 100),
    goals: beside(30, 2),
    own: 'qos0 pairs 50:50, window 100',
    hasRawLimit: true,
  },
  {
    name: 'QoS 0 pairs 50:50, 1 KB, window 100',
    load: pairs(KB, 100),
    goals: beside(undefined, 1.3),
    own: 'qos0 pairs 50:50, 1 KB, window 100',
    hasRawLimit: true,
  },
  { name: 'QoS 0 pairs 50:50, 3.9 KB, window 20', load: pairs(LARGEST, 20), hasRawLimit: true },
  {
    name: 'QoS 0 fan-out 1:100, 64 B, window 50',
    load: fanOut(100, 64, 50),
    goals: beside(25, 1.5),
    own: 'qos0 fan-out 1:100, window 50',
    hasRawLimit: true,
  },
  {
    name: 'QoS 0 fan-out 1:100, 1 KB, window 50',
    load: fanOut(100, KB, 50),
    goals: beside(undefined, 1.3),
    hasRawLimit: true,
  },
  {
    name: 'QoS 0 fan-out 1:1000, 64 B, window 20',
    load: fanOut(1000, 64, 20),
    goals: beside(20, 1.4),
    own: 'qos0 fan-out 1:1000, window 20',
    hasRawLimit: true,
  },
  { name: 'QoS 1 fan-in 10:1, 64 B, window 20', load: fanIn(64, 20, 1) },
  {
    name: 'QoS 1 pairs 50:50, 64 B, window 20',
    load: pairs(64, 20, 1),
    goals: beside(12, 1.3),
    own: 'qos1 pairs 50:50, window 20',
    hasRawLimit: true,
  },
  {
    name: 'QoS 1 pairs 50:50, 1 KB, window 20',
    load: pairs(KB, 20, 1),
    goals: beside(undefined, 1.1),
    hasRawLimit: true,
  },
  { name: 'QoS 1 pairs 50:50, 3.9 KB, window 20', load: pairs(LARGEST, 20, 1), hasRawLimit: true },
  {
    name: 'QoS 1 pairs 50:50, 64 B, window 1',
    load: pairs(64, 1, 1),
    goals: beside(undefined, 1.05),
    hasRawLimit: true,
  },
  {
    name: 'QoS 0 pairs 50:50, 64 B, window 1',
    load: pairs(64, 1),
    goals: beside(1, 1.1),
    own: 'qos0 pairs 50:50, window 1',
    hasRawLimit: true,
  },
  { name: 'QoS 0 pairs 50:50, 1 KB, window 1', load: pairs(KB, 1), hasRawLimit: true },
  { name: 'QoS 0 pairs 50:50, 3.9 KB, window 1', load: pairs(LARGEST, 1), hasRawLimit: true },
  {
    name: 'QoS 0 fan-in 1000:1, 64 B, window 1',
    load: { publishers: 1000, window: 1 },
    goals: beside(2, 0.9),
    own: 'qos0 fan-in 1000:1, window 1',
    hasRawLimit: true,
  },
  { name: 'QoS 1 fan-in 1000:1, 64 B, window 1', load: { publishers: 1000, window: 1, qos: 1 } },
  {
    name: 'QoS 0 fan-out 1:1000, 64 B, window 1',
    load: fanOut(1000, 64, 1),
    goals: beside(undefined, 1.4),
    hasRawLimit: true,
  },
  {
    name: '20,000/s, one pair, 64 B',
    load: { rate: 20_000, seconds: 2 },
    own: 'latency at 20000/s',
  },
  { name: '20,000/s over 50 pairs, 64 B', load: { ...PAIRS, rate: 20_000, seconds: 2 } },
  { name: '2,000/s over 50 pairs, 1 KB', load: slowPairs },
  { name: '2,000/s over 50 pairs, 1 KB, after 8 s', load: { ...slowPairs, warmup: 8 } },
  {
    name: 'connects, 50 at a time',
    load: CHURN,
    goals: beside(0.5, 0.8),
    own: 'connects, 50 at a time',
  },
];

export const independentTable: Table = {
  name: 'independent',
  title: 'One node, by the generator in C',
  minutes: { eachRun: 1.9, once: 1.2 },
  missing: missingCompiler,
  measure,
  markdown,
};

async function measure(run: Run): Promise<Figures> {
  const generator = new CompiledGenerator();
  const brokers = run.brokers.filter((broker) => broker !== 'aedes');
  try {
    const rows = SCENARIOS.map(({ name, load, hasRawLimit }) => {
      const beside = () => besideEachOther(generator, load, brokers, run.runs);
      const withLimit = async () => ({ ...(await beside()), ...(await rawLimit(generator, load)) });
      return [name, hasRawLimit ? withLimit : beside] as const;
    });
    return await measureRows(rows, run);
  } finally {
    generator.remove();
  }
}

/** The same load with sockets that only pass bytes on in place of a broker. */
async function rawLimit(generator: CompiledGenerator, load: GeneratorLoad): Promise<Row> {
  const { publishers = 1, subscribers = 1 } = load;
  const copies = load.pairs === 1 ? 1 : subscribers;
  const splice = await startSplice(publishers, subscribers, copies);
  const system = { name: 'splice', publish: addressOf(splice), pids: [splice.pid] };
  try {
    return await takeTurns(generator, load, [system], 1);
  } finally {
    await splice.stop();
  }
}

function markdown(figures: Figures): string {
  const entries = SCENARIOS.flatMap((scenario) => {
    const row = figures[scenario.name];
    return row === undefined ? [] : [{ ...scenario, row }];
  });
  const isRate = ({ load }: Scenario): boolean => load.rate !== undefined;
  return [
    throughputTable(entries.filter((entry) => !isRate(entry))),
    '',
    latencyTable(entries.filter(isRate)),
  ].join('\n');
}

type Entry = Scenario & { readonly row: Row };

const times = (row: Row, key: string, peer: string): number =>
  figure(row, `shoal.${key}`) / figure(row, `${peer}.${key}`);

function throughputTable(entries: readonly Entry[]): string {
  const own = readResults().node?.figures ?? {};
  const head = [
    'scenario',
    'Shoal, a second',
    'times mosquitto',
    'goal',
    'times FlashMQ',
    'goal',
    'CPU each, us: Shoal, mosquitto, FlashMQ',
    'core busy: each broker; generator with Shoal',
    'without MQTT, a second',
    'lost, late: Shoal',
    'by the own generator: times mosquitto, CPU each, us',
  ];
  const rows = entries.map(({ name, row, goals, own: ownName = '' }) => {
    const other = own[ownName] ?? {};
    const isMessages = 'shoal.lost' in row;
    return [
      name,
      amount(figure(row, 'shoal.rate')),
      amount(times(row, 'rate', 'mosquitto')),
      judged(goals?.mosquitto, times(row, 'rate', 'mosquitto')),
      amount(times(row, 'rate', 'flashmq')),
      judged(goals?.flashmq, times(row, 'rate', 'flashmq')),
      ofEach(row, 'brokerUs', amount),
      `${ofEach(row, 'brokerBusy', percent)}; ${percent(figure(row, 'shoal.generatorBusy'))}`,
      amount(figure(row, 'splice.rate')),
      isMessages ? `${figure(row, 'shoal.lost')}, ${figure(row, 'shoal.late')}` : '-',
      ownName === ''
        ? '-'
        : `${amount(times(other, 'rate', 'mosquitto'))}, ${amount(figure(other, 'shoal.brokerUs'))}`,
    ];
  });
  return markdownTable(head, rows);
}

function latencyTable(entries: readonly Entry[]): string {
  const own = readResults().node?.figures ?? {};
  const head = [
    'fixed rate',
    'p50, p99, p99.9, us: Shoal',
    'times mosquitto: p50',
    'goal',
    'times mosquitto: p99',
    'goal',
    'times FlashMQ: p50, p99',
    'CPU each, us: Shoal, mosquitto, FlashMQ',
    'by the own generator: p50, p99, times mosquitto',
  ];
  const rows = entries.map(({ name, row, own: ownName = '' }) => {
    const other = own[ownName] ?? {};
    const goal = (key: 'p50' | 'p99'): Goal | undefined =>
      ownName === '' ? undefined : LATENCY_GOALS[key];
    const ratio = (of: Row, key: string, peer = 'mosquitto'): string =>
      amount(times(of, key, peer));
    return [
      name,
      ['p50', 'p99', 'p999'].map((key) => amount(figure(row, `shoal.${key}`))).join(', '),
      ratio(row, 'p50'),
      judged(goal('p50'), times(row, 'p50', 'mosquitto')),
      ratio(row, 'p99'),
      judged(goal('p99'), times(row, 'p99', 'mosquitto')),
      `${ratio(row, 'p50', 'flashmq')}, ${ratio(row, 'p99', 'flashmq')}`,
      ofEach(row, 'brokerUs', amount),
      ownName === '' ? '-' : `${ratio(other, 'p50')}, ${ratio(other, 'p99')}`,
    ];
  });
  return markdownTable(head, rows);
}
