// `shoal names nodes|clients`: what a completion script asks for at the Tab key. Not in the help. Prints only names
// that a shell takes as one word, and nothing where no node answers.

import { Argument, type Command } from 'commander';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { NodeConnection } from '../node-connection.ts';

const CLIENTS_MAX = 1000;
const ONE_WORD = /^[\w.,:@%+/-]+$/;

export function addNames(program: Command, context: CliContext): void {
  const command = program
    .command('names', { hidden: true })
    .addArgument(new Argument('<list>').choices(['nodes', 'clients']))
    .action(async (list: 'nodes' | 'clients') => {
      const names = await namesOf(list, command, context).catch(() => []);
      for (const name of names.filter((one) => ONE_WORD.test(one))) context.write(`${name}\n`);
      context.exitCode = exitCodes.ok;
    });
}

async function namesOf(
  list: 'nodes' | 'clients',
  command: Command,
  context: CliContext,
): Promise<readonly string[]> {
  const node = await NodeConnection.open(command, context);
  if (list === 'nodes') {
    const { nodes } = await node.ask<{ nodes: readonly { name: string }[] }>('/api/v1/nodes');
    return nodes.map(({ name }) => name);
  }
  const query = { limit: CLIENTS_MAX };
  const { items } = await node.ask<{ items: readonly { id: string }[] }>('/api/v1/clients', {
    query,
  });
  return items.map(({ id }) => id);
}
