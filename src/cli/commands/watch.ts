// `shoal watch` and `shoal trace`: what happens on all nodes, as it happens: log events in words, and the
// packets of a client or of a topic.

import type { Command } from 'commander';
import { milliseconds } from '../../config/value-types.ts';
import { isTopicFilter } from '../../mqtt/topic.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { type Paint, paintFor } from '../terminal/paint.ts';
import { eventLine, isRelayed, type NodeEvent } from '../views/event-words.ts';
import { MemberEchoes } from '../views/member-echoes.ts';
import { PastEvents } from '../views/past-events.ts';
import { type PacketEvent, traceLine } from '../views/trace-line.ts';

interface WatchFlags extends NodeFlags {
  readonly node?: string;
  readonly past: string;
  readonly like?: string;
}

interface TraceFlags extends NodeFlags {
  readonly topic?: string;
  readonly for: string;
  readonly payload: string;
}

const PAST_MAX = 200;
/** By then the past events of all boxes are here, ms. */
const GATHER_MS = 500;
const PAYLOAD_MAX = 1024;
const DURATION = milliseconds(1000, 300_000);

export function addWatch(program: Command, context: CliContext): void {
  const command = program
    .command('watch')
    .usage('[-like TEXT] [-node NAME] [-past COUNT]')
    .description('show what happens on all boxes, until Ctrl-C')
    .option('--like <text>', 'only lines with this text')
    .option('--node <node>', 'only of this box')
    .option('--past <count>', 'begin with the last events of each box', '10');
  addNodeFlags(command).action(async (flags: WatchFlags) => {
    const past = numberOf(flags.past, '-past', PAST_MAX);
    const node = await NodeConnection.open(command, context);
    const over = endOf(context);
    const paint = paintFor(context);
    const query = { node: flags.node, past };
    const echoes = new MemberEchoes();
    const events = new PastEvents((line) => context.write(`${line}\n`));
    setTimeout(() => events.end(), flags.json === true ? 0 : GATHER_MS).unref();
    const isWhole = flags.json === true || flags.node !== undefined;
    for await (const { event, data } of node.events('/api/v1/events', query, over)) {
      const logged = data as NodeEvent;
      if (!isWhole && event === 'log' && (echoes.isEcho(logged) || isRelayed(logged))) continue;
      const words = event === 'log' ? eventLine(logged) : noticeLine(event, data);
      if (flags.like !== undefined && !words.includes(flags.like)) continue;
      const line = flags.json === true ? JSON.stringify(data) : styled(paint, logged, words);
      events.add({ at: logged.at ?? Date.now(), line });
    }
    events.end();
    refuseSilentEnd(over);
    context.exitCode = exitCodes.ok;
  });
}

export function addTrace(program: Command, context: CliContext): void {
  const command = program
    .command('trace')
    .usage('CLIENT | -topic FILTER [-for 60s]')
    .argument('[client]', 'client whose packets are shown')
    .option('-t, --topic <filter>', 'PUBLISH packets that match this topic filter')
    .option('--for <duration>', 'how long, up to 5m', '60s')
    .option('--payload <bytes>', 'bytes of a payload that are shown', '64')
    .description('show the packets of a client, or of a topic, on all boxes');
  addNodeFlags(command).action(async (client: string | undefined, flags: TraceFlags) => {
    const query = { client, ...traceOptions(client, flags) };
    const node = await NodeConnection.open(command, context);
    const over = endOf(context, 1000 * query.seconds);
    let packets = 0;
    for await (const { event, data } of node.events('/api/v1/trace', query, over)) {
      if (event === 'packet') packets += 1;
      if (flags.json === true) context.write(`${JSON.stringify(data)}\n`);
      else if (event === 'packet') context.write(`${traceLine(data as PacketEvent)}\n`);
      else if (event === 'end') context.write(endLine(data));
      else if (event !== 'begin') context.write(`${noticeLine(event, data)}\n`);
    }
    if (packets === 0 && flags.json !== true) {
      context.write('(no packet came; shoal clients lists who is connected)\n');
    }
    context.exitCode = exitCodes.ok;
  });
}

/** @throws UsageError */
function traceOptions(client: string | undefined, { topic, ...flags }: TraceFlags) {
  if (client === undefined && topic === undefined) {
    throw new UsageError('trace needs a client identifier or -topic=FILTER');
  }
  if (topic !== undefined && !isTopicFilter(topic)) {
    throw new UsageError(`bad value '${topic}' for -topic: expected a filter such as home/#`);
  }
  const forMs = DURATION.parse(flags.for);
  if (forMs === undefined) {
    throw new UsageError(`bad value '${flags.for}' for -for: expected ${DURATION.expected}`);
  }
  const payload = numberOf(flags.payload, '-payload', PAYLOAD_MAX);
  return { topic, payload, seconds: Math.ceil(forMs / 1000) };
}

/** Aborted by Ctrl-C, by a reader that has gone, or when the time is over. */
function endOf(context: CliContext, afterMs?: number): AbortSignal {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) context.onSignal(signal, () => end.abort());
  context.onOutputClosed(() => end.abort());
  if (afterMs !== undefined) setTimeout(() => end.abort(), afterMs);
  return end.signal;
}

/** As the nodes say it. */
const TIME_IS_OVER = 'the time is over';

function refuseSilentEnd(over: AbortSignal): void {
  if (!over.aborted) throw new Error('the node has ended');
}

/** A stream also says that it has dropped events, and that another node has gone. */
function noticeLine(event: string, data: unknown): string {
  const { count, node } = data as { count?: number; node?: string };
  if (event === 'dropped')
    return `(${count} events left out: they came faster than they could be shown)`;
  return `(no more events of ${node} until it is back)`;
}

/** A trace that ends because its time is over needs no word. */
function endLine(data: unknown): string {
  const { node, reason } = data as { node: string; reason: string };
  return reason === TIME_IS_OVER ? '' : `(the trace on ${node} has ended: ${reason})\n`;
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
