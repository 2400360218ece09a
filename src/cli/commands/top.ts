// `shoal top`: the figures of all nodes and the clients with the most messages, redrawn every two seconds;
// keys change the order. Without a terminal it prints once, after a second: rates need two looks.

import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ClientView } from '../../http/node-api.ts';
import { MessageRateMeter } from '../../shared/message-rates.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import type { NodeList } from '../node-lists.ts';
import { LiveView } from '../terminal/live-view.ts';
import { columnsOf, printResult } from '../terminal/output.ts';
import { paintFor } from '../terminal/paint.ts';
import type { SiteView } from '../views/status-view.ts';
import { isTopOrder, type TopOrder, type TopView, topLines } from '../views/top-view.ts';

const DRAW_EVERY_MS = 2000;
/** Between the two looks of what is printed once. */
const MEASURE_MS = 1000;
/** More clients than this are not looked through. */
const CLIENTS_MAX = 1000;
const CONTROL_C = '\u0003';
const FIRST_ORDER: TopOrder = 'i';

export function addTop(program: Command, context: CliContext): void {
  const command = program
    .command('top')
    .description('show the figures of all boxes as they change; keys sort, q quits');
  addNodeFlags(command).action(async ({ json }: NodeFlags) => {
    if (json === true) {
      const view = await topOf(command, context);
      printResult(json, context, view, () => []);
    } else if (!context.outputIsTerminal) {
      const rates = new MessageRateMeter();
      rates.look((await topOf(command, context)).clients, performance.now());
      await delay(MEASURE_MS);
      const view = await topOf(command, context);
      rates.look(view.clients, performance.now());
      printResult(json, context, view, () => linesOf(view, rates, FIRST_ORDER, context));
    } else await run(command, context);
    context.exitCode = exitCodes.ok;
  });
}

async function topOf(command: Command, context: CliContext): Promise<TopView> {
  const node = await NodeConnection.open(command, context);
  const site = await node.ask<SiteView>('/api/v1/nodes');
  const query = { limit: CLIENTS_MAX };
  const { items, total } = await node.ask<NodeList<ClientView>>('/api/v1/clients', { query });
  return { ...site, clients: items, clientsTotal: total };
}

function linesOf(
  view: TopView,
  rates: MessageRateMeter,
  order: TopOrder,
  context: CliContext,
): string[] {
  const rows = context.outputIsTerminal ? context.outputRows : Number.POSITIVE_INFINITY;
  const size = { rows, columns: columnsOf(context) };
  return topLines(view, rates, order, Date.now(), paintFor(context), size);
}

async function run(command: Command, context: CliContext): Promise<void> {
  const over = new AbortController();
  const screen = new LiveView(context);
  const rates = new MessageRateMeter();
  let order: TopOrder = FIRST_ORDER;
  let view: TopView | undefined;
  const draw = (): void => {
    if (view !== undefined) screen.show(linesOf(view, rates, order, context));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    context.onSignal(signal, () => over.abort());
  }
  const release = context.onKey((key) => {
    if (key === 'q' || key === CONTROL_C) over.abort();
    if (!isTopOrder(key)) return;
    order = key;
    draw();
  });
  try {
    while (!over.signal.aborted) {
      view = await topOf(command, context);
      rates.look(view.clients, performance.now());
      draw();
      await delay(DRAW_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  } finally {
    release();
    screen.close();
  }
}
