// `shoal bench`: measures a broker or a cluster from here: connections, messages a second, latency.

import type { Command } from 'commander';
import { milliseconds } from '../../config/value-types.ts';
import {
  formatBytes,
  formatCount,
  formatLatency,
  formatRate,
  formatShare,
} from '../../shared/units.ts';
import { type BenchResult, BenchRun, STAMP_BYTES } from '../bench/bench-run.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import {
  addConnectionFlags,
  type ConnectionFlags,
  connectionOf,
  qosOfFlag,
  topicOfFlag,
  wholeNumber,
} from '../mqtt/connection-flags.ts';
import { Progress } from '../terminal/progress.ts';

interface BenchFlags extends ConnectionFlags {
  readonly publishers: string;
  readonly subscribers: string;
  readonly rate: string;
  readonly size: string;
  readonly qos: string;
  readonly for: string;
  readonly topic?: string;
  readonly fanOut?: boolean;
  readonly subUrl?: string;
  readonly json?: boolean;
}

const CLIENTS_MAX = 100_000;
const RATE_MAX = 10_000_000;
const SIZE_MAX = 268_000_000;
const DURATION = milliseconds(100, 86_400_000);
const PERCENTILES = [0.5, 0.9, 0.99, 0.999] as const;

export function addBench(program: Command, context: CliContext): void {
  const command = program
    .command('bench')
    .usage('[flags]')
    .description('measure connections, messages a second and latency')
    .option('--publishers <count>', 'clients that publish', '4')
    .option('--subscribers <count>', 'clients that subscribe', '4')
    .option(
      '--rate <count>',
      'messages a second of all publishers; 0 = as many as possible',
      '1000',
    )
    .option('--size <bytes>', 'payload', '64')
    .option('-q, --qos <qos>', 'QoS', '0')
    .option('--for <duration>', 'how long', '10s')
    .option(
      '-t, --topic <topic>',
      'topic, with a number added for each publisher (default bench/ID)',
    )
    .option('--fan-out', 'each subscriber receives all messages, not those of one publisher')
    .option('--sub-url <url>', 'subscribe at another node: as -L')
    .option('--json', 'print JSON');
  addConnectionFlags(command).action(async (flags: BenchFlags) => {
    const durationMs = DURATION.parse(flags.for);
    if (durationMs === undefined) {
      throw new UsageError(`bad value '${flags.for}' for -for: expected ${DURATION.expected}`);
    }
    const { settings } = connectionOf(flags);
    const { host, port, url, ...others } = flags;
    const subscribeTo =
      flags.subUrl === undefined
        ? settings
        : connectionOf({ ...others, url: flags.subUrl }).settings;
    const run = new BenchRun({
      publishers: wholeNumber(flags.publishers, '-publishers', 0, CLIENTS_MAX),
      subscribers: wholeNumber(flags.subscribers, '-subscribers', 0, CLIENTS_MAX),
      rate: wholeNumber(flags.rate, '-rate', 0, RATE_MAX),
      payloadBytes: wholeNumber(flags.size, '-size', STAMP_BYTES, SIZE_MAX),
      qos: qosOfFlag(flags.qos),
      durationMs,
      publishTo: settings,
      subscribeTo,
      topic: topicOfFlag(flags.topic ?? `bench/${settings.clientId}`),
      isFanOut: flags.fanOut === true,
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) context.onSignal(signal, () => run.stop());
    const progress = new Progress(context);
    const result = await run
      .run((share, text) => progress.show(share, text))
      .finally(() => progress.end());
    const lines = flags.json === true ? [JSON.stringify(jsonOf(result))] : linesOf(result, flags);
    for (const line of lines) context.write(`${line}\n`);
    context.exitCode = lostOf(result) > 0 ? exitCodes.failure : exitCodes.ok;
  });
}

function lostOf({ expected, received, isStillArriving }: BenchResult): number {
  return isStillArriving ? 0 : Math.max(0, expected - received);
}

function linesOf(result: BenchResult, { size }: BenchFlags): string[] {
  const { clients, connectMs, seconds, sent, expected, received, refused, latency } = result;
  const { isStillArriving, receivingSeconds } = result;
  const rate = (count: number, during: number): string => `${formatRate(count / during)}/s`;
  const lost = lostOf(result);
  const loss =
    lost === 0 ? 'none lost' : `${formatCount(lost)} lost (${formatShare(lost / expected)})`;
  const held = isStillArriving ? `${formatCount(expected - received)} still on their way, ` : '';
  const refusals = refused === 0 ? '' : `, ${formatCount(refused)} refused`;
  const bytes = formatBytes(Math.round((Number(size) * sent) / seconds));
  const percentiles = PERCENTILES.map(
    (share) => `p${100 * share} ${formatLatency(latency.percentile(share))}`,
  );
  return [
    `connected ${formatCount(clients)} clients in ${formatLatency(connectMs)}`,
    `sent      ${formatCount(sent)} messages, ${rate(sent, seconds)}, ${bytes}/s of payload${refusals}`,
    `received  ${formatCount(received)} messages, ${rate(received, receivingSeconds)}, ${held}${loss}`,
    ...(isStillArriving
      ? ['          the broker takes fewer than were sent: a rate of its own, or its load']
      : []),
    ...(latency.count === 0
      ? []
      : [`latency   ${percentiles.join('  ')}  max ${formatLatency(latency.maxMs)}`]),
  ];
}

function jsonOf(result: BenchResult) {
  const { clients, connectMs, seconds, sent, expected, received, refused, latency } = result;
  const { isStillArriving, receivingSeconds } = result;
  const latencyMs = Object.fromEntries(
    PERCENTILES.map((share) => [`p${100 * share}`, latency.percentile(share)]),
  );
  return {
    clients,
    connectMs,
    seconds,
    receivingSeconds,
    sent,
    expected,
    received,
    refused,
    isStillArriving,
    latencyMs: { ...latencyMs, max: latency.maxMs },
  };
}
