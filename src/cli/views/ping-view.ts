// The result of `shoal ping NODE` as text: round trips and sizes in the first line, what differs between
// there and back in the second one.

import type { PingReport, PortPing } from '../../net/cluster/ping.ts';
import { printable } from '../terminal/text-width.ts';

/** A difference that may come from the measurement alone. */
const CLOCK_NOTICEABLE_MS = 100;

export function pingLines(name: string, report: PingReport): string[] {
  const { address, ports, sizes, largestBytes } = report;
  const { gossip, sync } = ports;
  const [sent, answered] = [gossip.sent + sync.sent, gossip.answered + sync.answered];
  const parts = [
    `${printable(name)} ${address}`,
    `gossip :${gossip.port}  ${timeOf(gossip)}`,
    `sync :${sync.port}  ${timeOf(sync)}`,
    ...sizes.map(({ bytes, parts: count, passes }) => {
      const size = count === 1 ? `${bytes} B` : `${bytes} B in ${count} parts`;
      return `${size} ${passes ? 'ok' : 'LOST'}`;
    }),
    ...(largestBytes === undefined ? [] : [`largest ${largestBytes} B`]),
    `${answered}/${sent}`,
  ];
  return [parts.join('   '), `${wayText(report)}   ${clockText(report.clockAheadMs)}`.trimEnd()];
}

/** Whether anything came back by both ports. */
export function isPingWell({ ports, ways }: PingReport): boolean {
  const isAnswered = ports.gossip.answered > 0 && ports.sync.answered > 0;
  return isAnswered && blockedWays(ways).length === 0;
}

function timeOf({ rttMs }: PortPing): string {
  return rttMs === undefined ? 'no answer' : `${rttMs.average.toFixed(2)} ms`;
}

function wayText({ ways, ports }: PingReport): string {
  const blocked = blockedWays(ways);
  if (blocked.length > 0) return `there and back differ? yes: blocked ${blocked.join(', ')}.`;
  const isSilent = ports.gossip.answered + ports.sync.answered === 0;
  return isSilent ? 'nothing comes back; shoal doctor says why.' : 'there and back differ? no.';
}

function blockedWays(ways: PingReport['ways']): string[] {
  return (['gossip', 'sync'] as const).flatMap((channel) =>
    (['out', 'in'] as const)
      .filter((direction) => ways[channel][direction] === 'blocked')
      .map((direction) => `${channel} ${direction === 'out' ? 'to it' : 'from it'}`),
  );
}

function clockText(aheadMs: number | undefined): string {
  if (aheadMs === undefined) return '';
  if (Math.abs(aheadMs) < CLOCK_NOTICEABLE_MS) return 'their clock agrees with ours';
  const direction = aheadMs > 0 ? 'ahead of' : 'behind';
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  return `their clock is ${seconds} s ${direction} ours (nothing depends on it)`;
}
