// `shoal watch` and `shoal trace`: what happens on all nodes, as it happens: log events in words, and the
// messages of a topic filter at every node.

import type { Command } from 'commander';
import { milliseconds } from '../../config/value-types.ts';
import { isTopicFilter } from '../../mqtt/topic.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { type Paint, paintFor } from '../terminal/paint.ts';
import { eventLine, type NodeEvent } from '../views/event-words.ts';
import type { SiteView } from '../views/status-view.ts';
import { type TracedMessage, traceLine } from '../views/trace-line.ts';

interface WatchFlags extends NodeFlags {
  readonly node?: string;
  readonly past: string;
  readonly like?: string;
}

interface TraceFlags extends NodeFlags {
  readonly topic: string;
  readonly for: string;
  readonly payload: string;
}

const PAST_MAX = 200;
const PAYLOAD_MAX = 65_536;
const DURATION = milliseconds(1000, 3_600_000);

export function addWatch(program: Command, context: CliContext): void {
  const command = program
    .command('watch')
    .usage('[-like TEXT] [-node NAME] [-past COUNT]')
    .description('show what happens on all boxes, until Ctrl-C')
    .option('--like <text>', 'only lines with this text')
    .option('--node <name>', 'only of this box')
    .option('--past <count>', 'begin with the last events of each box', '10');
  addNodeFlags(command).action(async (flags: WatchFlags) => {
    const past = numberOf(flags.past, '-past', PAST_MAX);
    const node = await NodeConnection.open(command, context);
    const over = endOf(context);
    const paint = paintFor(context);
    const query = { node: flags.node, past };
    for await (const { event, data } of node.events('/api/v1/events', query, over)) {
      const line = event === 'log' ? eventLine(data as NodeEvent) : noticeLine(event, data);
      if (flags.like !== undefined && !line.includes(flags.like)) continue;
      const shown =
        flags.json === true ? JSON.stringify(data) : styled(paint, data as NodeEvent, line);
      context.write(`${shown}\n`);
    }
    refuseSilentEnd(over);
    context.exitCode = exitCodes.ok;
  });
}

export function addTrace(program: Command, context: CliContext): void {
  const command = program
    .command('trace')
    .usage('-topic FILTER [-for 60s]')
    .requiredOption('-t, --topic <filter>', 'messages that match this topic filter')
    .option('--for <duration>', 'how long', '60s')
    .option('--payload <bytes>', 'bytes of a payload that are shown', '64')
    .description('show the messages of a topic as they pass each box');
  addNodeFlags(command).action(async (flags: TraceFlags) => {
    const { topic: filter } = flags;
    if (!isTopicFilter(filter)) {
      throw new UsageError(`bad value '${filter}' for -topic: expected a filter such as home/#`);
    }
    const forMs = DURATION.parse(flags.for);
    if (forMs === undefined) {
      throw new UsageError(`bad value '${flags.for}' for -for: expected ${DURATION.expected}`);
    }
    const payload = numberOf(flags.payload, '-payload', PAYLOAD_MAX);
    const node = await NodeConnection.open(command, context);
    const { nodes } = await node.ask<SiteView>('/api/v1/nodes');
    const over = endOf(context, forMs);
    const online = nodes.filter(({ state }) => state === 'alive');
    await Promise.all(
      online.map(async ({ name }) => {
        const query = { filter, payload, node: name };
        for await (const { event, data } of node.events('/api/v1/subscribe', query, over)) {
          if (flags.json === true) context.write(`${JSON.stringify(data)}\n`);
          else if (event !== 'message') context.write(`${noticeLine(event, data)}\n`);
          else context.write(`${traceLine(data as TracedMessage)}\n`);
        }
      }),
    );
    refuseSilentEnd(over);
    context.exitCode = exitCodes.ok;
  });
}

/** Aborted by Ctrl-C, by a reader that has gone, or when the time is over. */
function endOf(context: CliContext, afterMs?: number): AbortSignal {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) context.onSignal(signal, () => end.abort());
  context.onOutputClosed(() => end.abort());
  if (afterMs !== undefined) setTimeout(() => end.abort(), afterMs);
  return end.signal;
}

function refuseSilentEnd(over: AbortSignal): void {
  if (!over.aborted) throw new Error('the node has ended');
}

/** A stream also says that it has dropped events, and that another node has gone. */
function noticeLine(event: string, data: unknown): string {
  const { count, node } = data as { count?: number; node?: string };
  if (event === 'dropped')
    return `(${count} events left out: they came faster than they could be shown)`;
  return `(no more events of ${node}: it has gone)`;
}

function styled(paint: Paint, { level }: NodeEvent, line: string): string {
  if (level === 'error') return paint.bad(line);
  return level === 'warn' ? paint.warning(line) : line;
}

function numberOf(text: string, flag: string, max: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : -1;
  if (value >= 0 && value <= max) return value;
  throw new UsageError(`bad value '${text}' for ${flag}: expected 0 to ${max}`);
}
