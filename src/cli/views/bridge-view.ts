// What `shoal bridges` prints: a table, and below it a line for each bridge that is not well. Pure.

import type { BridgeView } from '../../http/node-api.ts';
import { formatBytes, formatCount, formatDuration, formatRate } from '../../shared/units.ts';
import type { Paint } from '../terminal/paint.ts';
import { type Cell, type Column, formatTable } from '../terminal/table.ts';
import { printable } from '../terminal/text-width.ts';

const NONE = '-';
const COLUMNS: readonly Column[] = [
  { title: 'BRIDGE', shrinks: true },
  { title: 'NODE', shrinks: true },
  { title: 'FAR SIDE', shrinks: true },
  { title: 'STATE' },
  { title: 'SINCE' },
  { title: 'WAITING', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'OLDEST', align: 'right' },
  { title: 'OUT/S', align: 'right' },
  { title: 'IN/S', align: 'right' },
  { title: 'DROPPED', align: 'right' },
];
const STYLES = {
  connected: 'good',
  connecting: 'warning',
  waiting: 'bad',
  standby: 'dim',
} as const;

/** @param now ms since 1970. @param columns width of the terminal */
export function bridgeLines(
  bridges: readonly BridgeView[],
  now: number,
  paint: Paint,
  columns: number,
): string[] {
  if (bridges.length === 0) return ['no bridge: [[bridge]] in the file of -config makes one'];
  const rows = bridges.map((bridge) => rowOf(bridge, now));
  return [
    ...formatTable(COLUMNS, rows, paint, columns),
    ...bridges.flatMap((bridge) => reasonLines(bridge, now, paint)),
  ];
}

function rowOf(bridge: BridgeView, now: number): Cell[] {
  const { name, node, address, state, since, queued, queuedBytes, inflight, oldest } = bridge;
  const isStandby = state === 'standby';
  return [
    name,
    node,
    address,
    { text: state, style: STYLES[state] },
    formatDuration(now - since),
    formatCount(queued + inflight),
    queuedBytes === 0 ? NONE : formatBytes(queuedBytes),
    oldest === null ? NONE : formatDuration(Math.max(0, now - oldest)),
    isStandby ? NONE : formatRate(bridge.sentPerSecond),
    isStandby ? NONE : formatRate(bridge.receivedPerSecond),
    formatCount(bridge.dropped),
  ];
}

function reasonLines(bridge: BridgeView, now: number, paint: Paint): string[] {
  const { name, node, reason, lostSince, retryAt } = bridge;
  if (reason === null) return [];
  const lost = lostSince === null ? '' : `lost for ${formatDuration(now - lostSince)}: `;
  const retry =
    retryAt === null ? '' : `; next attempt in ${formatDuration(Math.max(0, retryAt - now))}`;
  const where = paint.bold(`${printable(name)} on ${printable(node)}`);
  return ['', `${where}  ${lost}${printable(reason)}${retry}`];
}
