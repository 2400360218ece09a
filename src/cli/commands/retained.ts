// `shoal retained ls|get|rm FILTER`: the retained messages, which all nodes hold alike.

import type { Command } from 'commander';
import type { RetainedView } from '../../http/node-api.ts';
import { isWildcard } from '../../mqtt/topic.ts';
import { formatNumber } from '../../shared/units.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { limitOf, readList } from '../node-lists.ts';
import { printResult } from '../terminal/output.ts';
import { paintFor } from '../terminal/paint.ts';
import { retainedLines } from '../views/client-views.ts';

interface LsFlags extends NodeFlags {
  readonly node?: string;
  readonly limit: string;
}

interface RmFlags extends NodeFlags {
  readonly yes?: boolean;
}

const PATH = '/api/v1/retained';

export function addRetained(program: Command, context: CliContext): void {
  const retained = program
    .command('retained')
    .description('list, show and remove retained messages');
  addLs(retained, context);
  addGet(retained, context);
  addRm(retained, context);
}

function addLs(retained: Command, context: CliContext): void {
  const command = retained
    .command('ls')
    .usage('[FILTER]')
    .argument('[filter]', 'topic filter', '#')
    .description('list retained messages')
    .option('--node <node>', 'as this box holds them')
    .option('--limit <count>', 'most that are listed', '1000');
  addNodeFlags(command).action(async (filter: string, flags: LsFlags) => {
    const limit = limitOf(flags.limit);
    const node = await NodeConnection.open(command, context);
    const query = { filter, node: flags.node };
    const { items, total } = await readList<RetainedView>(node, PATH, query, limit, context);
    printResult(flags.json, context, items, (columns) =>
      retainedLines(items, total, paintFor(context), columns),
    );
    context.exitCode = exitCodes.ok;
  });
}

function addGet(retained: Command, context: CliContext): void {
  const command = retained
    .command('get')
    .argument('<topic>')
    .description('print the payload of a retained message');
  addNodeFlags(command).action(async (topic: string, flags: NodeFlags) => {
    if (isWildcard(topic)) throw new UsageError('get takes one topic; ls lists those of a filter');
    const node = await NodeConnection.open(command, context);
    const { items } = await readList<RetainedView>(node, PATH, { filter: topic }, 1, context);
    const [found] = items;
    if (found === undefined) throw new Error(`no message is retained for ${topic}`);
    const { text, base64, bytes } = found;
    if (text === null && base64 === null && flags.json !== true) {
      throw new Error(`the payload of ${topic} has ${bytes} bytes: shoal sub -t ${topic} -C 1 -N`);
    }
    const payload = text === null ? Buffer.from(base64 ?? '', 'base64') : `${text}\n`;
    context.write(flags.json === true ? `${JSON.stringify(found)}\n` : payload);
    context.exitCode = exitCodes.ok;
  });
}

function addRm(retained: Command, context: CliContext): void {
  const command = retained
    .command('rm')
    .argument('<filter>', 'topic or topic filter')
    .option('--yes', 'also where the filter has wildcards')
    .description('remove retained messages on all boxes');
  addNodeFlags(command).action(async (filter: string, flags: RmFlags) => {
    const node = await NodeConnection.open(command, context);
    if (isWildcard(filter) && flags.yes !== true) {
      const { total } = await readList(node, PATH, { filter }, 1, context);
      const count = formatNumber(total, 'retained message');
      throw new UsageError(`${filter} matches ${count}; -yes removes them on all boxes`);
    }
    const removed = await removeAll(node, filter);
    const text = `${formatNumber(removed, 'retained message')} removed`;
    printResult(flags.json, context, { removed }, () => [text]);
    context.exitCode = removed === 0 ? exitCodes.failure : exitCodes.ok;
  });
}

/** The node removes a bounded number at a time. */
async function removeAll(node: NodeConnection, filter: string): Promise<number> {
  for (let removed = 0; ; ) {
    const request = { method: 'DELETE', query: { filter } };
    const answer = await node.ask<{ cleared: number; left: number }>(PATH, request);
    removed += answer.cleared;
    if (answer.left === 0 || answer.cleared === 0) return removed;
  }
}
