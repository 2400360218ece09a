// Messages from one node to another: two Shoal nodes and two bridged mosquittos, alternately, on loopback and
// on two hosts. All nodes share one core; the generator has the other core alone.

import { missingPrivilege } from '../../support/network.ts';
import {
  type RunningBroker,
  startMosquittoBridge,
  startShoal,
  untilJoined,
} from '../cluster/brokers.ts';
import type { LoadPlan } from '../cluster/plan.ts';
import { BROKER_CORE, type Measured, runLoad } from '../cluster/run-load.ts';
import { ON_LOOPBACK, type Site, TwoHosts } from '../cluster/sites.ts';
import { atLeast, type Goal, judged } from '../goals.ts';
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

const PAIRS = 50;
const SECONDS = 1;

export const clusterTable: Table = {
  name: 'cluster',
  title: 'Between two nodes on one host',
  minutes: { eachRun: 0.75, once: 0.2 },
  measure: (run) => measure(run, ON_LOOPBACK),
  markdown: (figures) => markdown(figures, true),
};

export const hostsTable: Table = {
  name: 'hosts',
  title: 'Between two hosts, MTU 1500',
  missing: missingPrivilege,
  minutes: { eachRun: 0.75, once: 0.2 },
  measure: async (run) => {
    const hosts = new TwoHosts();
    try {
      return await measure(run, hosts.sites);
    } finally {
      hosts.remove();
    }
  },
  markdown: (figures) => markdown(figures, false),
};

interface Scenario {
  readonly name: string;
  /** On loopback, in times of the bridge's rate. */
  readonly goal?: Goal;
  readonly qos: 0 | 1;
  readonly payloadBytes: number;
  readonly pace: LoadPlan['pace'];
}

/** Rows that have a goal, also for the generator in C. */
export const BETWEEN_NODES = [
  { name: 'QoS 0, 64 B, window 100', bytes: 64, window: 100, goal: 30 },
  { name: 'QoS 0, 64 B, window 1', bytes: 64, window: 1, goal: 2 },
  { name: 'QoS 0, 1 KB, window 100', bytes: 1024, window: 100, goal: 6 },
  { name: 'QoS 0, 1 KB, window 1', bytes: 1024, window: 1, goal: 1.9 },
  { name: 'QoS 0, 3.9 KB, window 20', bytes: 3900, window: 20, goal: 1.8 },
  { name: 'QoS 0, 3.9 KB, window 1', bytes: 3900, window: 1, goal: 1.3 },
] as const;

const SCENARIOS: readonly Scenario[] = [
  ...BETWEEN_NODES.map(({ name, bytes, window, goal }) => ({
    ...({ name, qos: 0, payloadBytes: bytes, pace: { window }, goal: atLeast(goal) } as const),
  })),
  { name: 'QoS 1, 64 B, window 20', qos: 1, payloadBytes: 64, pace: { window: 20 } },
  { name: 'QoS 0, 64 B, 20,000/s', qos: 0, payloadBytes: 64, pace: { rate: 20_000 } },
  { name: 'QoS 0, 64 B, 2,000/s', qos: 0, payloadBytes: 64, pace: { rate: 2000 } },
];

const BRIDGE = 'bridge';

/** Two nodes: the first has the publishers, the second the subscribers. */
export interface Pair {
  readonly name: string;
  readonly from: RunningBroker;
  readonly to: RunningBroker;
}

/** Calls `work` with two Shoal nodes and, if it is wanted, with two bridged mosquittos; ends them then. */
export async function withPairs(
  sites: readonly Site[],
  brokers: Run['brokers'],
  work: (pairs: readonly Pair[]) => Promise<Figures>,
): Promise<Figures> {
  const pairs: Pair[] = [];
  const start = async (name: string, starting: Promise<RunningBroker[]>): Promise<void> => {
    const [from, to] = (await starting) as [RunningBroker, RunningBroker];
    pairs.push({ name, from, to });
    await untilJoined(from, to);
  };
  try {
    await start('shoal', startShoal(sites, BROKER_CORE));
    if (brokers.includes('mosquitto')) {
      await start(BRIDGE, startMosquittoBridge(sites, BROKER_CORE));
    }
    return await work(pairs);
  } finally {
    for (const { from, to } of pairs) await Promise.all([from.stop(), to.stop()]);
  }
}

function measure({ runs, brokers, words, say }: Run, sites: readonly Site[]): Promise<Figures> {
  return withPairs(sites, brokers, async (pairs) => {
    const figures: Figures = {};
    for (const scenario of SCENARIOS) {
      if (!words.every((word) => scenario.name.includes(word))) continue;
      say(scenario.name);
      const rows: Row[] = [];
      for (let run = 0; run < runs; run++) {
        let row: Row = {};
        for (const pair of pairs) row = { ...row, ...(await across(pair, scenario)) };
        rows.push(row);
      }
      figures[scenario.name] = medians(rows);
    }
    return figures;
  });
}

/** Connects the publisher of each pair to the first node and its subscriber to the second. */
async function across({ name, from, to }: Pair, scenario: Scenario): Promise<Row> {
  const ends = Array.from({ length: PAIRS }, (_, i) => `bench/${i}`);
  const plan: LoadPlan = {
    version: 4,
    qos: scenario.qos,
    payloadBytes: scenario.payloadBytes,
    publishers: ends.map((topic) => ({ host: from.host, port: from.port, topic })),
    subscribers: ends.map((filter) => ({ host: to.host, port: to.port, filter })),
    copies: 1,
    pace: scenario.pace,
    warmupSeconds: 0.5,
    seconds: SECONDS,
  };
  return prefixed(name, figuresOf(await runLoad(plan, [from.pid, to.pid])));
}

function figuresOf({ received, seconds, cpuSeconds, latencyUs, lost, disordered }: Measured): Row {
  const cpu = cpuSeconds.reduce((sum, one) => sum + one, 0);
  return {
    ...{ rate: received / seconds, cpuUs: (cpu / received) * 1e6, busy: cpu / seconds },
    ...{ p50: latencyUs.p50, p99: latencyUs.p99, lost, disordered },
  };
}

/** @param hasGoals whether the goals hold on this network */
function markdown(figures: Figures, hasGoals: boolean): string {
  const head = [
    '50 pairs between two nodes',
    'Shoal, messages/s',
    'times the bridge',
    ...(hasGoals ? ['goal'] : []),
    'CPU a message, us: Shoal, bridge',
    'core busy: Shoal, bridge',
    'p50, p99, us: Shoal',
    'p50, p99, us: bridge',
    'lost, out of order',
  ];
  const rows = Object.entries(figures).map(([name, row]) => {
    const of = (key: string): string => amount(figure(row, key));
    const ratio = figure(row, 'shoal.rate') / figure(row, 'bridge.rate');
    const { goal } = SCENARIOS.find((scenario) => scenario.name === name) ?? {};
    return [
      name,
      of('shoal.rate'),
      amount(ratio),
      ...(hasGoals ? [judged(goal, ratio)] : []),
      `${of('shoal.cpuUs')}, ${of('bridge.cpuUs')}`,
      `${percent(figure(row, 'shoal.busy'))}, ${percent(figure(row, 'bridge.busy'))}`,
      `${of('shoal.p50')}, ${of('shoal.p99')}`,
      `${of('bridge.p50')}, ${of('bridge.p99')}`,
      `${of('shoal.lost')}, ${of('shoal.disordered')}`,
    ];
  });
  return markdownTable(head, rows);
}
