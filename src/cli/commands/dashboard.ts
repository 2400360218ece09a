// `shoal dashboard`: the address of the dashboard of the node on this machine, with a new token behind a #,
// which a browser sends to no server.

import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { printResult } from '../terminal/output.ts';

interface Options {
  readonly options: readonly { readonly flag: string; readonly value: string }[];
}

interface Health {
  readonly node: string;
}

/** The default port may have been taken when the node started. @throws UsageError */
async function checkThatItAnswers(place: string, own: Health): Promise<void> {
  const answer = await fetch(`http://${place}/healthz`)
    .then((response) => response.json() as Promise<Health>)
    .catch(() => undefined);
  if (answer?.node === own.node) return;
  throw new UsageError(
    `${own.node} does not answer on http://${place}/: its log says why; choose another -http`,
  );
}

export function addDashboard(program: Command, context: CliContext): void {
  const dashboard = program
    .command('dashboard')
    .description('print the address of the dashboard, with a new token for it');
  addNodeFlags(dashboard).action(async (flags: NodeFlags) => {
    const node = await NodeConnection.open(dashboard, context);
    const { options } = await node.ask<Options>('/api/v1/config');
    const place = options.find(({ flag }) => flag === 'http')?.value ?? 'off';
    if (place === 'off') {
      throw new UsageError('this node runs with -http=off; start it with -http=127.0.0.1:8080');
    }
    await checkThatItAnswers(place, await node.ask<Health>('/healthz'));
    const { token } = await node.ask<{ token: string }>('/api/v1/tokens', { method: 'POST' });
    const url = `http://${place}/#token=${token}`;
    printResult(flags.json, context, { url }, () => [url]);
  });
}
