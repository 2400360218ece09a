// `shoal ping NODE`: round trips from the node that runs here to another one, on both ports and with
// several sizes, and the difference of their clocks.

import type { Command } from 'commander';
import type { PingReport } from '../../net/cluster/ping.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { isPingWell, pingLines } from '../views/ping-view.ts';

export function addPing(program: Command, context: CliContext): void {
  const command = program
    .command('ping')
    .usage('NODE [-json]')
    .description('measure the path to another node: times on both ports, sizes, clocks')
    .argument('<node>', 'name of the other node');
  addNodeFlags(command).action(async (name: string, flags: NodeFlags) => {
    const node = await NodeConnection.open(command, context);
    const report = await node.ask<PingReport>(`/api/v1/nodes/${encodeURIComponent(name)}/ping`);
    const lines = flags.json === true ? [JSON.stringify(report)] : pingLines(name, report);
    context.write(lines.map((line) => `${line}\n`).join(''));
    context.exitCode = isPingWell(report) ? exitCodes.ok : exitCodes.failure;
  });
}
