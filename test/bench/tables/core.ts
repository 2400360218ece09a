// The broker core alone, without sockets: the cost of a message, and how cost and memory grow.
// test/bench/micro-broker.ts measures it in a process that is pinned to the broker's core.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
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
  const file = join(import.meta.dirname, '../micro-broker.ts');
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

/** Meaning of the columns, for each quantity that grows. */
const GROWTH: Record<string, { readonly each: string; readonly cost: string }> = {
  subscriptions: { each: 'to subscribe', cost: 'a message to a different one each time' },
  'retained messages': { each: 'to set', cost: 'to subscribe to one, receive it and unsubscribe' },
  'topics in turn': {
    each: '',
    cost: 'a message, to one subscriber, on a different topic each time',
  },
  connections: { each: 'to connect and subscribe', cost: 'a message to a different one each time' },
  sessions: {
    each: 'to connect, subscribe and disconnect',
    cost: 'a message to a different one each time (QoS 0)',
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
      ['number', 'memory each, bytes', 'CPU to create one', 'CPU with that many'],
      growth.map(([name, row]) => {
        const [what = '', count] = name.split(': ');
        const { each = '', cost = '' } = GROWTH[what] ?? {};
        // With few of them, the broker's fixed memory and compiled code would dominate.
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
