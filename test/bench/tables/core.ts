// The broker core alone, without sockets: what a message costs, and how that and the memory grow.
// It runs as a process of its own, pinned to the broker's core (test/bench/micro-broker.ts).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BROKER_CORE } from '../load/clock.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

export const coreTable: Table = {
  name: 'core',
  title: 'The core alone, and how its cost grows',
  minutes: { eachRun: 0, once: 2 },
  measure,
  markdown,
};

async function measure({ words, say }: Run): Promise<Figures> {
  const figures: Figures = {};
  const file = new URL('../micro-broker.ts', import.meta.url).pathname;
  const node = [process.execPath, '--expose-gc', '--import', 'tsx', file, ...words];
  const child = spawn('taskset', ['-c', String(BROKER_CORE), ...node], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.on('message', (message: { name: string; figures: Row }) => {
    say(message.name);
    figures[message.name] = message.figures;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the micro-benchmark ended with ${code}`);
  return figures;
}

/** What the columns of figures mean for each thing that grows. */
const GROWTH: Record<string, { readonly each: string; readonly cost: string }> = {
  subscriptions: { each: 'to subscribe', cost: 'a message to another one of them each time' },
  'retained messages': { each: 'to set', cost: 'to subscribe to one, get it and unsubscribe' },
  'topics in turn': { each: '', cost: 'a message, on another topic each time, to one subscriber' },
  connections: { each: 'to connect and subscribe', cost: 'a message to another one each time' },
  sessions: {
    each: 'to come, subscribe and go',
    cost: 'a message to another one each time (QoS 0)',
  },
};

const MANY = 10_000;

function markdown(figures: Figures): string {
  const passing = Object.entries(figures).filter(([name]) => !name.includes(': '));
  const growth = Object.entries(figures).filter(([name]) => name.includes(': '));
  return [
    markdownTable(
      ['through the core', 'ns of CPU a message'],
      passing.map(([name, row]) => [name.replace('qos', 'QoS '), amount(figure(row, 'ns'))]),
    ),
    '',
    markdownTable(
      ['how many', 'memory each, bytes', 'CPU each', 'CPU then'],
      growth.map(([name, row]) => {
        const [what = '', count] = name.split(': ');
        const { each = '', cost = '' } = GROWTH[what] ?? {};
        // Of few, what a broker has and compiles at all would be most.
        const isMany = Number(count) >= MANY;
        const made = isMany && each !== '' ? `${time(row, 'eachNs')} ${each}` : '-';
        const bytes = isMany ? amount(Math.max(0, figure(row, 'bytes'))) : '-';
        return [`${amount(Number(count))} ${what}`, bytes, made, `${time(row, 'ns')} ${cost}`];
      }),
    ),
  ].join('\n');
}

function time(row: Row, key: string): string {
  const ns = figure(row, key);
  return ns < 1000 ? `${amount(ns)} ns` : `${amount(ns / 1000)} us`;
}
