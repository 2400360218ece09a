// What `shoal top` shows: the verdict, the nodes in the order of one figure, and the clients that have most
// messages waiting. Pure.

import type { ClientView, NodeView } from '../../http/node-api.ts';
import { formatCount, formatDuration, formatRate } from '../../shared/units.ts';
import type { Paint } from '../terminal/paint.ts';
import { type Column, formatTable } from '../terminal/table.ts';
import { printable } from '../terminal/text-width.ts';
import type { SiteView } from './status-view.ts';

/** The key that sorts by it, its title, and its value; larger values come first. */
const ORDERS = {
  n: { title: 'name', value: () => 0 },
  d: { title: 'devices', value: ({ clients }: NodeView) => clients },
  i: { title: 'in', value: ({ receivedPerSecond }: NodeView) => receivedPerSecond },
  o: { title: 'out', value: ({ sentPerSecond }: NodeView) => sentPerSecond },
  l: { title: 'load', value: ({ load }: NodeView) => load },
  r: { title: 'round trip', value: ({ rttSeconds }: NodeView) => rttSeconds },
} as const;

export type TopOrder = keyof typeof ORDERS;

export function isTopOrder(key: string): key is TopOrder {
  return Object.hasOwn(ORDERS, key);
}

const NODE_COLUMNS: readonly Column[] = [
  { title: 'NODE', shrinks: true },
  { title: 'STATE' },
  { title: 'DEVICES', align: 'right' },
  { title: 'SESSIONS', align: 'right' },
  { title: 'IN/S', align: 'right' },
  { title: 'OUT/S', align: 'right' },
  { title: 'LOAD', align: 'right' },
  { title: 'RTT ms', align: 'right' },
  { title: 'LOSS out/in %', align: 'right' },
  { title: 'VERSION' },
];
const CLIENT_COLUMNS: readonly Column[] = [
  { title: 'WAITING CLIENT', shrinks: true },
  { title: 'NODE', shrinks: true },
  { title: 'QUEUE', align: 'right' },
  { title: 'UNACKED', align: 'right' },
  { title: 'SINCE' },
];
const CLIENTS_SHOWN_MAX = 10;
const NONE = '-';

export interface TopView extends SiteView {
  readonly clients: readonly ClientView[];
}

/** @param now ms since 1970. @param rows and columns of the terminal */
export function topLines(
  { verdict, nodes, clients }: TopView,
  order: TopOrder,
  now: number,
  paint: Paint,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): string[] {
  const waiting = clients
    .filter(({ queued, inflight, isCongested }) => queued + inflight > 0 || isCongested)
    .toSorted((a, b) => b.queued - a.queued || b.inflight - a.inflight)
    .slice(0, CLIENTS_SHOWN_MAX);
  const clientLines =
    waiting.length === 0
      ? [paint.dim('no client has messages waiting')]
      : formatTable(
          CLIENT_COLUMNS,
          waiting.map((one) => clientRow(one, now)),
          paint,
          columns,
        );
  const keys = Object.entries(ORDERS).map(([key, { title }]) => `${key} ${title}`);
  const head = [
    paint[verdict.level === 'well' ? 'good' : 'bad'](printable(verdict.sentence)),
    // Without a terminal there are no keys.
    ...(rows === Number.POSITIVE_INFINITY
      ? []
      : [paint.dim(`sorted by ${ORDERS[order].title};  keys: ${keys.join(', ')}, q quit`)]),
    '',
  ];
  const table = formatTable(NODE_COLUMNS, sorted(nodes, order).map(nodeRow), paint, columns);
  // The clients keep their place: of very many nodes the last ones are left out.
  const room = Math.max(2, rows - head.length - clientLines.length - 3);
  const left = table.length - room;
  const shown =
    left <= 0 ? table : [...table.slice(0, room - 1), paint.dim(`${left + 1} more boxes`)];
  return [...head, ...shown, '', ...clientLines];
}

function sorted(nodes: readonly NodeView[], order: TopOrder): NodeView[] {
  const { value } = ORDERS[order];
  return nodes.toSorted(
    (a, b) =>
      (value(b) ?? -1) - (value(a) ?? -1) || a.name.localeCompare(b.name, 'en', { numeric: true }),
  );
}

function nodeRow(node: NodeView): string[] {
  const { name, isSelf, state, clients, sessions, receivedPerSecond, sentPerSecond } = node;
  const { load, rttSeconds, loss, version } = node;
  const isOnline = state === 'alive';
  const figure = (value: number | null, format: (value: number) => string): string =>
    value === null || !isOnline ? NONE : format(value);
  const percent = (value: number | null): string => figure(value, (share) => share.toFixed(2));
  return [
    isSelf ? `${name} *` : name,
    isOnline ? 'online' : state,
    figure(clients, formatCount),
    figure(sessions, formatCount),
    figure(receivedPerSecond, formatRate),
    figure(sentPerSecond, formatRate),
    figure(load, (value) => `${value} %`),
    figure(rttSeconds, (seconds) => (1000 * seconds).toFixed(2)),
    isSelf ? NONE : `${percent(loss.out)}/${percent(loss.in)}`,
    version ?? NONE,
  ];
}

function clientRow({ id, node, queued, inflight, since }: ClientView, now: number): string[] {
  const age = since === null ? 'not connected' : formatDuration(now - since);
  return [id, node, formatCount(queued), formatCount(inflight), age];
}
