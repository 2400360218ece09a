// Messages from one node to another: two Shoal nodes and two bridged mosquittos, alternately, on loopback and
// on two hosts. All nodes share one core; the generator has the other core alone.

import {
  type RunningBroker,
  startMosquittoBridge,
  startShoal,
  untilJoined,
} from '../cluster/brokers.ts';
import type { LoadPlan } from '../cluster/plan.ts';
import { BROKER_CORE, type Measured, runLoad } from '../cluster/run-load.ts';
import { ON_LOOPBACK, type Site, TwoHosts } from '../cluster/sites.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  medians,
  percent,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

const PAIRS = 50;
const SECONDS = 2;

export const clusterTable: Table = {
  name: 'cluster',
  title: 'Between two nodes on one host',
  minutes: { eachRun: 0.9, once: 0.2 },
  measure: (run) => measure(run, ON_LOOPBACK),
  markdown,
};

/** Needs root. */
export const hostsTable: Table = {
  name: 'hosts',
  title: 'Between two hosts, MTU 1500',
  minutes: { eachRun: 0.9, once: 0.2 },
  measure: async (run) => {
    const hosts = new TwoHosts();
    try {
      return await measure(run, hosts.sites);
    } finally {
      hosts.remove();
    }
  },
  markdown,
};

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

const BRIDGE = 'bridge';
const SYSTEMS: Record<string, (sites: readonly Site[]) => Promise<RunningBroker[]>> = {
  shoal: (sites) => startShoal(sites, BROKER_CORE),
  [BRIDGE]: (sites) => startMosquittoBridge(sites, BROKER_CORE),
};

async function measure(
  { runs, brokers, words, say }: Run,
  sites: readonly Site[],
): Promise<Figures> {
  const running = new Map<string, RunningBroker[]>();
  const figures: Figures = {};
  try {
    for (const [name, start] of Object.entries(SYSTEMS)) {
      if (name === BRIDGE && !brokers.includes('mosquitto')) continue;
      const nodes = await start(sites);
      running.set(name, nodes);
      const [from, to] = nodes;
      if (from === undefined || to === undefined) throw new Error('two nodes are needed');
      await untilJoined(from, to);
    }
    for (const scenario of SCENARIOS) {
      if (!words.every((word) => scenario.name.includes(word))) continue;
      say(scenario.name);
      const rows: Row[] = [];
      for (let run = 0; run < runs; run++) {
        let row: Row = {};
        for (const [name, nodes] of running)
          row = { ...row, ...(await across(name, scenario, nodes)) };
        rows.push(row);
      }
      figures[scenario.name] = medians(rows);
    }
  } finally {
    for (const node of [...running.values()].flat()) await node.stop();
  }
  return figures;
}

/** Connects the publisher of each pair to the first node and its subscriber to the second. */
async function across(
  name: string,
  scenario: Scenario,
  nodes: readonly RunningBroker[],
): Promise<Row> {
  const [from, to] = nodes;
  if (from === undefined || to === undefined) throw new Error('two nodes are needed');
  const ends = Array.from({ length: PAIRS }, (_, i) => `bench/${i}`);
  const plan: LoadPlan = {
    version: 4,
    qos: scenario.qos,
    payloadBytes: scenario.payloadBytes,
    publishers: ends.map((topic) => ({ host: from.host, port: from.port, topic })),
    subscribers: ends.map((filter) => ({ host: to.host, port: to.port, filter })),
    copies: 1,
    pace: scenario.pace,
    warmupSeconds: 1,
    seconds: SECONDS,
  };
  const measured = await runLoad(
    plan,
    nodes.map(({ pid }) => pid),
  );
  return Object.fromEntries(
    Object.entries(figuresOf(measured)).map(([key, value]) => [`${name}.${key}`, value]),
  );
}

function figuresOf({ received, seconds, cpuSeconds, latencyUs, lost, disordered }: Measured): Row {
  const cpu = cpuSeconds.reduce((sum, one) => sum + one, 0);
  return {
    ...{ rate: received / seconds, cpuUs: (cpu / received) * 1e6, busy: cpu / seconds },
    ...{ p50: latencyUs.p50, p99: latencyUs.p99, lost, disordered },
  };
}

function markdown(figures: Figures): string {
  const head = [
    '50 pairs between two nodes',
    'Shoal, messages/s',
    'times the bridge',
    'CPU a message, us: Shoal, bridge',
    'core busy: Shoal, bridge',
    'p50, p99, us: Shoal',
    'p50, p99, us: bridge',
    'lost, out of order',
  ];
  const rows = Object.entries(figures).map(([name, row]) => {
    const of = (key: string): string => amount(figure(row, key));
    return [
      name,
      of('shoal.rate'),
      amount(figure(row, 'shoal.rate') / figure(row, 'bridge.rate')),
      `${of('shoal.cpuUs')}, ${of('bridge.cpuUs')}`,
      `${percent(figure(row, 'shoal.busy'))}, ${percent(figure(row, 'bridge.busy'))}`,
      `${of('shoal.p50')}, ${of('shoal.p99')}`,
      `${of('bridge.p50')}, ${of('bridge.p99')}`,
      `${of('shoal.lost')}, ${of('shoal.disordered')}`,
    ];
  });
  return markdownTable(head, rows);
}
