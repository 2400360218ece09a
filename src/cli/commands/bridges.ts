// `shoal bridges`: the bridges of all boxes, what waits for their far sides, and why one is not connected;
// connects one anew.

import type { Command } from 'commander';
import type { BridgeView } from '../../http/node-api.ts';
import { listOfWords } from '../../shared/units.ts';
import type { CliContext } from '../context.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { printResult } from '../terminal/output.ts';
import { paintFor } from '../terminal/paint.ts';
import { bridgeLines } from '../views/bridge-view.ts';

interface BridgesFlags extends NodeFlags {
  readonly reconnect?: string;
}

const ROUTE = '/api/v1/bridges';

export function addBridges(program: Command, context: CliContext): void {
  const command = program
    .command('bridges')
    .usage('[-json] [-reconnect NAME]')
    .description('list the bridges of all boxes, and why one is not connected')
    .option('--reconnect <name>', 'connect this bridge anew, without waiting for the pause');
  addNodeFlags(command).action(async ({ reconnect, json }: BridgesFlags) => {
    const node = await NodeConnection.open(command, context);
    if (reconnect !== undefined) {
      const path = `${ROUTE}/${encodeURIComponent(reconnect)}/reconnect`;
      const done = await node.ask<{ nodes: readonly string[] }>(path, { method: 'POST' });
      printResult(json, context, done, () => [
        `${reconnect} connects anew on ${listOfWords(done.nodes)}`,
      ]);
      return;
    }
    const { bridges } = await node.ask<{ bridges: readonly BridgeView[] }>(ROUTE);
    printResult(json, context, bridges, (columns) =>
      bridgeLines(bridges, Date.now(), paintFor(context), columns),
    );
  });
}
