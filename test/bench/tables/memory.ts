// Memory that users notice: an idle node on each release of Node, and what a retained message costs a broker.

import { spawnSync } from 'node:child_process';
import { type BrokerName, residentBytes, startBroker } from '../brokers.ts';
import { atMost, judged } from '../goals.ts';
import { sleep } from '../load/clock.ts';
import { startIdle } from '../load/idle-start.ts';
import { startLoad } from '../load/run-generator.ts';
import { baseLoad, loadAt } from '../scenarios.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  medians,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

/** Releases of Node; one that npx cannot provide is left out. */
const RELEASES = [20, 22, 24, 26];
const LISTENING_GOAL = atMost(150);
const RESIDENT_GOAL = atMost(60);

const RETAINED = 100_000;
/** With topic and everything. */
const RETAINED_GOAL = atMost(0.58);
/** Garbage of the load is collected by then, or stays. */
const SETTLE_MS = 3000;

export const memoryTable: Table = {
  name: 'memory',
  title: 'Start and memory',
  minutes: { eachRun: 0.2, once: 0.5 },
  measure,
  markdown,
};

async function measure({ runs, brokers, words, say }: Run): Promise<Figures> {
  const figures: Figures = {};
  const isWanted = (name: string): boolean => words.every((word) => name.includes(word));
  const starts = new Map<string, Row[]>();
  const nodes = installedReleases(say).filter(([name]) => isWanted(name));
  for (let run = 0; run < runs; run++) {
    for (const [name, program] of nodes) {
      say(`run ${run + 1} of ${runs}: idle on ${name}`);
      const row: Row = { ...(await startIdle(undefined, program)) };
      starts.set(name, [...(starts.get(name) ?? []), row]);
    }
  }
  for (const [name, rows] of starts) figures[name] = medians(rows);
  for (const broker of brokers.filter((one) => one !== 'aedes')) {
    const name = `retained: ${broker}`;
    if (!isWanted(name)) continue;
    say(name);
    figures[name] = { kilobytes: await kilobytesOfRetained(broker) };
  }
  return figures;
}

/** @returns pairs of a name, as `Node 22.23.3`, and a program */
function installedReleases(say: Run['say']): [string, string][] {
  return RELEASES.flatMap((release) => {
    const script = 'node -p "process.version + String.fromCharCode(10) + process.execPath"';
    const args = ['-y', '-p', `node@${release}`, '-c', script];
    const { status, stdout } = spawnSync('npx', args, { encoding: 'utf8' });
    const [version = '', program = ''] = (stdout ?? '').trim().split('\n');
    if (status === 0 && program !== '') return [[`Node ${version.slice(1)}`, program]];
    say(`not measured: npx cannot provide Node ${release}`);
    return [];
  });
}

async function kilobytesOfRetained(name: BrokerName): Promise<number> {
  const broker = await startBroker(name);
  try {
    const load = { ...baseLoad, kind: 'retained' as const };
    // The first ones compile the code and make the broker's own tables.
    await startLoad(loadAt(broker, { ...load, publishers: 1000 })).result;
    const before = residentBytes(broker.pid);
    await startLoad(loadAt(broker, { ...load, publishers: RETAINED + 1000 })).result;
    await sleep(SETTLE_MS);
    return (residentBytes(broker.pid) - before) / 1024 / RETAINED;
  } finally {
    await broker.stop();
  }
}

function markdown(figures: Figures): string {
  const starts = Object.entries(figures).filter(([name]) => name.startsWith('Node'));
  const retained = Object.entries(figures).filter(([name]) => name.startsWith('retained'));
  return [
    markdownTable(
      ['idle node', 'listening after, ms', 'goal', 'CPU until idle, ms', 'resident, MB', 'goal'],
      starts.map(([name, row]) => {
        const [listening, resident] = [
          figure(row, 'listeningMs'),
          figure(row, 'residentMegabytes'),
        ];
        return [
          name,
          amount(listening),
          judged(LISTENING_GOAL, listening),
          amount(figure(row, 'processorMs')),
          amount(resident),
          judged(RESIDENT_GOAL, resident),
        ];
      }),
    ),
    '',
    markdownTable(
      [`${amount(RETAINED)} retained messages of 64 B`, 'KB each', 'goal'],
      retained.map(([name, row]) => {
        const broker = name.slice('retained: '.length);
        const kilobytes = figure(row, 'kilobytes');
        const goal = broker === 'shoal' ? RETAINED_GOAL : undefined;
        return [broker === 'shoal' ? 'Shoal' : broker, amount(kilobytes), judged(goal, kilobytes)];
      }),
    ),
  ].join('\n');
}
