// `shoal clients`, `client ID` and `kick ID`: the clients of all nodes, and what a person does to one of
// them. For people they look twice, a second apart: the nodes count messages and measure no rates.

import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ClientDetail } from '../../http/client-detail-view.ts';
import type { ClientView } from '../../http/node-api.ts';
import { MessageRateMeter } from '../../shared/message-rates.ts';
import { listOfWords } from '../../shared/units.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { limitOf, readList } from '../node-lists.ts';
import { printResult } from '../terminal/output.ts';
import { paintFor } from '../terminal/paint.ts';
import { clientDetailLines, clientLines } from '../views/client-views.ts';

interface ClientsFlags extends NodeFlags {
  readonly like?: string;
  readonly node?: string;
  readonly connected?: boolean;
  readonly limit: string;
}

/** Between the two looks that make a rate. */
const MEASURE_MS = 1000;

export function addClients(program: Command, context: CliContext): void {
  const command = program
    .command('clients')
    .usage('[-like TEXT] [-node NAME] [-connected]')
    .description('list the clients of all boxes')
    .option('--like <text>', 'only with this in the identifier, user or address')
    .option('--node <node>', 'only of this box')
    .option('--connected', 'only those that are connected')
    .option('--limit <count>', 'most that are listed', '1000');
  addNodeFlags(command).action(async (flags: ClientsFlags) => {
    const limit = limitOf(flags.limit);
    const node = await NodeConnection.open(command, context);
    const query = { search: flags.like, node: flags.node, connected: flags.connected };
    const isFiltered = Object.values(query).some((value) => value !== undefined);
    const read = () => readList<ClientView>(node, '/api/v1/clients', query, limit, context);
    const rates = new MessageRateMeter();
    const isMeasured = flags.json !== true;
    const list = await measured(read, ({ items }) => items, rates, isMeasured);
    printResult(flags.json, context, list.items, (columns) =>
      list.items.length === 0 && !isFiltered
        ? ['no client is connected']
        : clientLines(list.items, list.total, rates, Date.now(), paintFor(context), columns),
    );
    context.exitCode = exitCodes.ok;
  });
}

export function addClient(program: Command, context: CliContext): void {
  const command = program
    .command('client')
    .argument('<client>', 'client identifier')
    .description('show one client: connection, session, queue, subscriptions');
  addNodeFlags(command).action(async (id: string, flags: NodeFlags) => {
    const node = await NodeConnection.open(command, context);
    const read = () => node.ask<ClientDetail>(`/api/v1/clients/${encodeURIComponent(id)}`);
    const rates = new MessageRateMeter();
    const detail = await measured(read, ({ client }) => [client], rates, flags.json !== true);
    printResult(flags.json, context, detail, (columns) =>
      clientDetailLines(detail, rates, Date.now(), paintFor(context), columns),
    );
    context.exitCode = exitCodes.ok;
  });
}

/** Reads once more after a second where a client is connected. @returns what it read last */
async function measured<T>(
  read: () => Promise<T>,
  clientsOf: (answer: T) => readonly ClientView[],
  rates: MessageRateMeter,
  isMeasured: boolean,
): Promise<T> {
  const first = await read();
  if (!isMeasured || !clientsOf(first).some(({ isConnected }) => isConnected)) return first;
  rates.look(clientsOf(first), performance.now());
  await delay(MEASURE_MS);
  const last = await read();
  rates.look(clientsOf(last), performance.now());
  return last;
}

export function addKick(program: Command, context: CliContext): void {
  const command = program
    .command('kick')
    .argument('<client>', 'client identifier')
    .description('disconnect a client; it may connect again');
  addNodeFlags(command).action(async (id: string, flags: NodeFlags) => {
    const node = await NodeConnection.open(command, context);
    const path = `/api/v1/clients/${encodeURIComponent(id)}/disconnect`;
    const done = await node.ask<Done>(path, { method: 'POST' });
    printResult(flags.json, context, done, () => [
      `${id} disconnected from ${listOfWords(done.nodes)}`,
    ]);
  });
}

interface Done {
  readonly nodes: readonly string[];
}
