// `shoal bans`, `ban` and `unban`: who may not connect to the nodes, and why; bans a client, a user or an
// address by hand on all nodes, and lifts a ban.

import type { Command } from 'commander';
import { seconds } from '../../config/value-types.ts';
import type { ClientDetail } from '../../http/client-detail-view.ts';
import type { BanView } from '../../http/node-api.ts';
import { formatDuration } from '../../shared/units.ts';
import type { CliContext } from '../context.ts';
import { RefusedError } from '../control-client.ts';
import { UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { type Incomplete, reportMissing } from '../node-lists.ts';
import { printResult } from '../terminal/output.ts';
import { paintFor } from '../terminal/paint.ts';
import { type Column, formatTable } from '../terminal/table.ts';

interface TargetFlags extends NodeFlags {
  readonly client?: string;
  readonly user?: string;
  readonly address?: string;
}

interface BanFlags extends TargetFlags {
  readonly for: string;
}

type Target = Readonly<Record<string, string>>;

const ROUTE = '/api/v1/bans';
const BAN_TIME = seconds(1, 604_800);

const COLUMNS: readonly Column[] = [
  { title: 'ADDRESS' },
  { title: 'CLIENT', shrinks: true },
  { title: 'USER', shrinks: true },
  { title: 'REASON' },
  { title: 'SINCE', align: 'right' },
  { title: 'ENDS IN', align: 'right' },
];

export function addBans(program: Command, context: CliContext): void {
  const list = program
    .command('bans')
    .usage('[-json]')
    .description('list the clients, users and addresses that are banned');
  addNodeFlags(list).action(async (flags: NodeFlags) => {
    const node = await NodeConnection.open(list, context);
    const answer = await node.ask<{ bans: readonly BanView[] } & Incomplete>(ROUTE);
    const { bans } = answer;
    printResult(flags.json, context, bans, (columns) => linesOf(bans, columns, context));
    context.exitCode = reportMissing(answer, 'not in this list: the bans of', context);
  });

  const ban = addTargetFlags(program.command('ban'))
    .usage('-client ID | -user NAME | -address ADDRESS [-for 1h]')
    .description('keep a client, a user or an address from connecting for a while')
    .option('--for <duration>', 'how long', '1h');
  addNodeFlags(ban).action(async ({ json, for: duration, ...flags }: BanFlags) => {
    const forSeconds = BAN_TIME.parse(duration);
    if (forSeconds === undefined) {
      throw new UsageError(`bad value '${duration}' for -for: expected ${BAN_TIME.expected}`);
    }
    const target = targetOf(flags);
    const node = await NodeConnection.open(ban, context);
    const body = { ...target, seconds: forSeconds };
    const made = await node.ask<BanView & Incomplete>(ROUTE, { method: 'POST', body });
    const words = `banned ${namesOf(made)} for ${formatDuration(made.until - made.since)}`;
    const stays = json === true ? [] : await connectedLines(node, target);
    printResult(json, context, made, () => [words, ...stays]);
    context.exitCode = reportMissing(made, 'not banned on', context);
  });

  const unban = addTargetFlags(program.command('unban'))
    .usage('-client ID | -user NAME | -address ADDRESS')
    .description('lift a ban');
  addNodeFlags(unban).action(async (flags: TargetFlags) => {
    const target = targetOf(flags);
    const node = await NodeConnection.open(unban, context);
    const lifted = await node.ask<Incomplete>(ROUTE, { method: 'DELETE', query: target });
    printResult(flags.json, context, lifted, () => [`lifted the ban of ${namesOf(target)}`]);
    context.exitCode = reportMissing(lifted, 'not lifted on', context);
  });
}

function addTargetFlags(command: Command): Command {
  return command
    .option('--client <client>', 'client identifier; with -address, only from there')
    .option('--user <name>', 'user name; with -address, only from there')
    .option('--address <ip>', 'address; of IPv6 its /64');
}

function targetOf({ client, user, address }: TargetFlags): Target {
  if (client === undefined && user === undefined && address === undefined) {
    throw new UsageError('-client=ID, -user=NAME or -address=ADDRESS is needed');
  }
  if (client !== undefined && user !== undefined) {
    throw new UsageError('-client and -user exclude each other: a ban is for one of them');
  }
  const given = Object.entries({ client, user, address });
  return Object.fromEntries(given.filter((one): one is [string, string] => one[1] !== undefined));
}

/** A ban disconnects no client. */
async function connectedLines(node: NodeConnection, { client }: Target): Promise<string[]> {
  if (client === undefined) return [];
  try {
    const route = `/api/v1/clients/${encodeURIComponent(client)}`;
    const detail = await node.ask<ClientDetail>(route);
    return detail.client.isConnected ? [`still connected: shoal kick ${client}`] : [];
  } catch (error) {
    // No node knows the client.
    if (error instanceof RefusedError) return [];
    throw error;
  }
}

function linesOf(bans: readonly BanView[], columns: number, context: CliContext): string[] {
  if (bans.length === 0) return ['No client, no user and no address is banned.'];
  const now = Date.now();
  const rows = bans.map(({ address, client, user, reason, since, until }) => [
    address ?? 'any',
    client ?? 'any',
    user ?? 'any',
    reason,
    formatDuration(now - since),
    formatDuration(Math.max(0, until - now)),
  ]);
  return formatTable(COLUMNS, rows, paintFor(context), columns);
}

function namesOf({ client, user, address }: BanView | Target): string {
  const parts = [
    client ?? undefined,
    user == null ? undefined : `user ${user}`,
    address == null ? undefined : `from ${address}`,
  ];
  return parts.filter((part) => part !== undefined).join(' ');
}
