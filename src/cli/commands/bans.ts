// `shoal bans`, `ban` and `unban`: who may not connect to the nodes, and why; bans a client or an address by
// hand on all nodes, and lifts a ban.

import type { Command } from 'commander';
import { seconds } from '../../config/value-types.ts';
import type { BanView } from '../../http/node-api.ts';
import { formatDuration } from '../../shared/units.ts';
import type { CliContext } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { paintFor } from '../terminal/paint.ts';
import { type Column, formatTable } from '../terminal/table.ts';

interface TargetFlags extends NodeFlags {
  readonly client?: string;
  readonly address?: string;
}

interface BanFlags extends TargetFlags {
  readonly for: string;
}

const ROUTE = '/api/v1/bans';
const BAN_TIME = seconds(1, 604_800);

const COLUMNS: readonly Column[] = [
  { title: 'ADDRESS' },
  { title: 'CLIENT', shrinks: true },
  { title: 'REASON' },
  { title: 'SINCE', align: 'right' },
  { title: 'ENDS IN', align: 'right' },
];

export function addBans(program: Command, context: CliContext): void {
  const list = program
    .command('bans')
    .usage('[-json]')
    .description('list the clients and addresses that are banned');
  addNodeFlags(list).action(async (flags: NodeFlags) => {
    const node = await NodeConnection.open(list, context);
    const { bans } = await node.ask<{ bans: readonly BanView[] }>(ROUTE);
    if (flags.json === true) context.write(`${JSON.stringify(bans)}\n`);
    else context.write(listOf(bans, context));
  });

  const ban = addTargetFlags(program.command('ban'))
    .usage('-client ID | -address ADDRESS [-for 1h]')
    .description('keep a client or an address from connecting for a while')
    .option('--for <duration>', 'how long', '1h');
  addNodeFlags(ban).action(async ({ json, for: duration, ...flags }: BanFlags) => {
    const forSeconds = BAN_TIME.parse(duration);
    if (forSeconds === undefined) {
      throw new UsageError(`bad value '${duration}' for -for: expected ${BAN_TIME.expected}`);
    }
    const { client, address } = targetOf(flags);
    const node = await NodeConnection.open(ban, context);
    const body = { client, address, seconds: forSeconds };
    const made = await node.ask<BanView>(ROUTE, { method: 'POST', body });
    const words = `banned ${namesOf(made)} for ${formatDuration(made.until - made.since)}`;
    context.write(json === true ? `${JSON.stringify(made)}\n` : `${words}\n`);
  });

  const unban = addTargetFlags(program.command('unban'))
    .usage('-client ID | -address ADDRESS')
    .description('lift a ban');
  addNodeFlags(unban).action(async (flags: TargetFlags) => {
    const target = targetOf(flags);
    const node = await NodeConnection.open(unban, context);
    await node.ask(ROUTE, { method: 'DELETE', query: target });
    context.write('lifted\n');
  });
}

function addTargetFlags(command: Command): Command {
  return command
    .option('--client <id>', 'client identifier; with -address, only from there')
    .option('--address <ip>', 'address; of IPv6 its /64');
}

function targetOf({ client, address }: TargetFlags): Readonly<Record<string, string>> {
  if (client === undefined && address === undefined) {
    throw new UsageError('-client=ID, -address=ADDRESS or both are needed');
  }
  return { ...(client !== undefined && { client }), ...(address !== undefined && { address }) };
}

function listOf(bans: readonly BanView[], context: CliContext): string {
  if (bans.length === 0) return 'No client and no address is banned.\n';
  const now = Date.now();
  const rows = bans.map(({ address, client, reason, since, until }) => [
    address ?? 'any',
    client ?? 'any',
    reason,
    formatDuration(now - since),
    formatDuration(Math.max(0, until - now)),
  ]);
  const columns = context.outputIsTerminal ? context.outputColumns : Number.POSITIVE_INFINITY;
  const lines = formatTable(COLUMNS, rows, paintFor(context), columns);
  return lines.map((line) => `${line}\n`).join('');
}

function namesOf({ client, address }: BanView): string {
  const parts = [client ?? undefined, address === null ? undefined : `from ${address}`];
  return parts.filter((part) => part !== undefined).join(' ');
}
