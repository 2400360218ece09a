// What `shoal top` shows: the verdict, the nodes in the order of one figure, and the clients with the most
// messages: those that wait first, then those under way. Pure.

import type { ClientView, NodeView } from '../../http/node-api.ts';
import type { MessageRateMeter } from '../../shared/message-rates.ts';
import { formatCount, formatDuration, formatNumber, formatRate } from '../../shared/units.ts';
import type { Paint } from '../terminal/paint.ts';
import { type Column, formatTable } from '../terminal/table.ts';
import { printable } from '../terminal/text-width.ts';
import { rateCells } from './client-views.ts';
import type { SiteView } from './status-view.ts';

/** The key that sorts by it, its title, and its value; larger values come first. */
const ORDERS = {
  n: { title: 'name', value: () => 0 },
  d: { title: 'devices', value: ({ clients }: NodeView) => clients },
  i: { title: 'in', value: ({ receivedPerSecond }: NodeView) => receivedPerSecond },
  o: { title: 'out', value: ({ sentPerSecond }: NodeView) => sentPerSecond },
  l: { title: 'load', value: ({ load }: NodeView) => load },
  r: { title: 'RTT', value: ({ rttSeconds }: NodeView) => rttSeconds },
} as const;

export type TopOrder = keyof typeof ORDERS;

export function isTopOrder(key: string): key is TopOrder {
  return Object.hasOwn(ORDERS, key);
}

const NODE_COLUMNS: readonly Column[] = [
  { title: 'NODE', shrinks: true },
  { title: 'STATE' },
  { title: 'DEVICES', align: 'right' },
  { title: 'SESSIONS', align: 'right', isOptional: true },
  { title: 'IN/S', align: 'right' },
  { title: 'OUT/S', align: 'right' },
  { title: 'LOAD', align: 'right' },
  { title: 'RTT ms', align: 'right' },
  { title: 'LOSS out/in %', align: 'right' },
  { title: 'VERSION', isOptional: true },
];
const CLIENT_COLUMNS: readonly Column[] = [
  { title: 'CLIENT', shrinks: true },
  { title: 'NODE', shrinks: true },
  { title: 'IN/S', align: 'right' },
  { title: 'OUT/S', align: 'right' },
  { title: 'QUEUE', align: 'right' },
  { title: 'UNACKED', align: 'right' },
  { title: 'SINCE' },
];
const CLIENTS_SHOWN_MAX = 10;
/** Of very many nodes the last ones are left out, rather than these clients. */
const CLIENTS_SHOWN_MIN = 3;
const NONE = '-';

export interface TopView extends SiteView {
  readonly clients: readonly ClientView[];
  /** Of all nodes, looked through or not. */
  readonly clientsTotal: number;
}

/** @param now ms since 1970. @param rows and columns of the terminal */
export function topLines(
  { verdict, nodes, clients, clientsTotal }: TopView,
  rates: MessageRateMeter,
  order: TopOrder,
  now: number,
  paint: Paint,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): string[] {
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
  // Blank line, titles, the line below the clients, the last row of the terminal.
  const besideClients = head.length + table.length + 4;
  const clientsMax = Math.max(CLIENTS_SHOWN_MIN, Math.min(CLIENTS_SHOWN_MAX, rows - besideClients));
  const below = clientTable(clients, clientsTotal, rates, now, paint, columns, clientsMax);
  const room = Math.max(2, rows - head.length - below.length - 2);
  const left = table.length - room;
  const shown =
    left <= 0 ? table : [...table.slice(0, room - 1), paint.dim(`${left + 1} more boxes`)];
  return [...head, ...shown, '', ...below];
}

function clientTable(
  clients: readonly ClientView[],
  total: number,
  rates: MessageRateMeter,
  now: number,
  paint: Paint,
  columns: number,
  shownMax: number,
): string[] {
  const busiest = clients
    .filter((one) => one.queued + one.inflight + trafficOf(one, rates) > 0)
    .toSorted(
      (a, b) =>
        b.queued - a.queued || trafficOf(b, rates) - trafficOf(a, rates) || b.inflight - a.inflight,
    )
    .slice(0, shownMax)
    .map((one) => clientRow(one, rates, now));
  const lines =
    busiest.length === 0
      ? [paint.dim('no client sends, receives or has messages waiting')]
      : formatTable(CLIENT_COLUMNS, busiest, paint, columns);
  if (clients.length >= total) return lines;
  const looked = `of the first ${formatCount(clients.length)} of ${formatNumber(total, 'client')}`;
  return [...lines, paint.dim(looked)];
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

/** Messages a second in both directions. */
function trafficOf(client: ClientView, rates: MessageRateMeter): number {
  const { receivedPerSecond = 0, sentPerSecond = 0 } = rates.of(client) ?? {};
  return receivedPerSecond + sentPerSecond;
}

function clientRow(client: ClientView, rates: MessageRateMeter, now: number): string[] {
  const { id, node, queued, inflight, since } = client;
  const age = since === null ? 'not connected' : formatDuration(now - since);
  const [received, sent] = rateCells(client, rates);
  return [id, node, received, sent, formatCount(queued), formatCount(inflight), age];
}
