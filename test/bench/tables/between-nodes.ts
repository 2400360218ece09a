// Two nodes again, by the generator in C: the rows of the table "cluster" that have a goal, on loopback.

import { ON_LOOPBACK } from '../cluster/sites.ts';
import { addressOf, PAIRS, takeTurns } from '../generator/beside.ts';
import { CompiledGenerator, missingCompiler } from '../generator/compiled.ts';
import { atLeast, judged } from '../goals.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  measureRows,
  percent,
  type Row,
  type Run,
  readResults,
  type Table,
} from '../table.ts';
import { BETWEEN_NODES, withPairs } from './cluster.ts';

export const betweenNodesTable: Table = {
  name: 'between-nodes',
  title: 'Between two nodes, by the generator in C',
  minutes: { eachRun: 0.4, once: 0.1 },
  missing: missingCompiler,
  measure,
  markdown,
};

async function measure(run: Run): Promise<Figures> {
  const generator = new CompiledGenerator();
  try {
    return await withPairs(ON_LOOPBACK, run.brokers, (pairs) => {
      const systems = pairs.map(({ name, from, to }) => {
        const addresses = { publish: addressOf(from), subscribe: addressOf(to) };
        return { name, ...addresses, pids: [from.pid, to.pid] };
      });
      const rows = BETWEEN_NODES.map(({ name, bytes, window }) => {
        const load = { ...PAIRS, bytes, window };
        return [name, () => takeTurns(generator, load, systems, run.runs)] as const;
      });
      return measureRows(rows, run);
    });
  } finally {
    generator.remove();
  }
}

const times = (row: Row | undefined): number =>
  figure(row, 'shoal.rate') / figure(row, 'bridge.rate');

function markdown(figures: Figures): string {
  const own = readResults().cluster?.figures ?? {};
  const head = [
    '50 pairs between two nodes',
    'Shoal, messages/s',
    'times the bridge',
    'goal',
    'CPU a message, us: Shoal, bridge',
    'core busy: Shoal, bridge; generator with Shoal',
    'p50, p99, us: Shoal',
    'lost, late: Shoal',
    'by the own generator: times the bridge, CPU a message, us',
  ];
  const rows = BETWEEN_NODES.flatMap(({ name, goal }) => {
    const row = figures[name];
    if (row === undefined) return [];
    const of = (key: string): string => amount(figure(row, key));
    const busy = ['shoal.brokerBusy', 'bridge.brokerBusy', 'shoal.generatorBusy'].map((key) =>
      percent(figure(row, key)),
    );
    return [
      [
        name,
        of('shoal.rate'),
        amount(times(row)),
        judged(atLeast(goal), times(row)),
        `${of('shoal.brokerUs')}, ${of('bridge.brokerUs')}`,
        `${busy[0]}, ${busy[1]}; ${busy[2]}`,
        `${of('shoal.p50')}, ${of('shoal.p99')}`,
        `${of('shoal.lost')}, ${of('shoal.late')}`,
        `${amount(times(own[name]))}, ${amount(figure(own[name], 'shoal.cpuUs'))}`,
      ],
    ];
  });
  return markdownTable(head, rows);
}
