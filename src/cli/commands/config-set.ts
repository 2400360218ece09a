// `shoal config set NAME VALUE`: changes an option of the node on this machine, of another one, or of all of them,
// and says whether it counts already and which file keeps it.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { optionTable } from '../../config/config.ts';
import type { AnyOption } from '../../config/option.ts';
import type { NodeView, OptionSet } from '../../http/node-api.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { printResult } from '../terminal/output.ts';

type SetByNode = OptionSet & { readonly node: string };

interface SetFlags extends NodeFlags {
  readonly node?: string;
  readonly all?: boolean;
}

export function addConfigSet(config: Command, context: CliContext): void {
  const command = config
    .command('set')
    .usage('NAME VALUE [-node NAME | -all]')
    .argument('<option>', 'option, without its dash')
    .argument('<value>', 'as on the command line')
    .description('change an option of a node that runs, and in its TOML file')
    .option('--node <node>', 'of another node')
    .option('--all', 'of all nodes that are online');
  addNodeFlags(command).action(async (name: string, given: string, flags: SetFlags) => {
    if (flags.all === true && flags.node !== undefined) {
      throw new UsageError('give only one of -node and -all');
    }
    const node = await NodeConnection.open(command, context);
    const body = { option: name.replace(/^--?/, ''), value: absolute(name, given) };
    const done: SetByNode[] = [];
    for (const one of flags.all === true ? await onlineNodes(node) : [flags.node]) {
      const query = { node: one };
      done.push(await node.ask<SetByNode>('/api/v1/config', { method: 'PUT', query, body }));
    }
    printResult(flags.json, context, done, () => done.flatMap(linesOf));
    context.exitCode = exitCodes.ok;
  });
}

/** A path counts from the folder of the command, not from that of the node. */
function absolute(name: string, value: string): string {
  const rows: readonly AnyOption[] = Object.values(optionTable);
  const row = rows.find(({ flag }) => flag === name.replace(/^--?/, ''));
  if (row?.type.inFolder === undefined || value === '') return value;
  const isList = Array.isArray(row.type.parse(value));
  return isList
    ? value
        .split(',')
        .map((one) => resolve(one))
        .join(',')
    : resolve(value);
}

async function onlineNodes(node: NodeConnection): Promise<string[]> {
  const { nodes } = await node.ask<{ nodes: readonly NodeView[] }>('/api/v1/nodes');
  return nodes
    .filter(({ state }) => state === 'alive' || state === 'suspect')
    .map(({ name }) => name);
}

function linesOf({ node, option, from, to, isInForce, file, backup, notes }: SetByNode): string[] {
  const when = isInForce ? 'now' : 'after a restart';
  const where = file === null ? '' : `, written to ${file} (before: ${backup})`;
  return [
    `${node}: -${option} is ${to} ${when}${from === to ? '' : `, was ${from}`}${where}`,
    ...notes.map((note) => `  ${note}`),
  ];
}
