// `shoal forget NODE`, `forget -session ID` and `shoal leave`: what is gone for good, and how this node goes.

import type { Command } from 'commander';
import { listOfWords } from '../../shared/units.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { printResult } from '../terminal/output.ts';

export function addForget(program: Command, context: CliContext): void {
  const command = program
    .command('forget')
    .usage('NODE | -session ID')
    .argument('[node]', 'box that is offline and will not come back')
    .option(
      '--session <client>',
      'client that will not come back: ends its session, with its queue',
    )
    .description('forget a box or a session that will not come back');
  addNodeFlags(command).action(
    async (name: string | undefined, flags: NodeFlags & { readonly session?: string }) => {
      const { session, json } = flags;
      if ((name === undefined) === (session === undefined)) {
        throw new UsageError('forget needs either the name of a box or -session=ID');
      }
      const node = await NodeConnection.open(command, context);
      const path =
        session === undefined
          ? `/api/v1/nodes/${encodeURIComponent(name ?? '')}`
          : `/api/v1/clients/${encodeURIComponent(session)}`;
      const done = await node.ask<{ nodes?: readonly string[] }>(path, { method: 'DELETE' });
      const text =
        done.nodes === undefined
          ? `${name} is forgotten on all boxes`
          : `the session of ${session} on ${listOfWords(done.nodes)} has ended`;
      printResult(json, context, done, () => [text]);
      context.exitCode = exitCodes.ok;
    },
  );
}

export function addLeave(program: Command, context: CliContext): void {
  const command = program
    .command('leave')
    .description('end the node on this machine: it disconnects its clients and leaves the cluster');
  addNodeFlags(command).action(async ({ json }: NodeFlags) => {
    const node = await NodeConnection.open(command, context);
    const done = await node.ask('/api/v1/stop', { method: 'POST' });
    printResult(json, context, done, () => [
      'the node disconnects its clients and leaves the cluster',
    ]);
    context.exitCode = exitCodes.ok;
  });
}
