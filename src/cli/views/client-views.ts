// What `shoal clients`, `client`, and `retained ls` print. Pure.

import type { ClientDetail } from '../../http/client-detail-view.ts';
import type { ClientView, RetainedView } from '../../http/node-api.ts';
import type { MessageRateMeter } from '../../shared/message-rates.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatRate,
} from '../../shared/units.ts';
import type { Paint } from '../terminal/paint.ts';
import { type Cell, type Column, formatTable } from '../terminal/table.ts';
import { printable } from '../terminal/text-width.ts';

const NONE = '-';
/** Characters of a payload that a table shows. */
const PAYLOAD_CHARS_MAX = 60;

const CLIENT_COLUMNS: readonly Column[] = [
  { title: 'CLIENT', shrinks: true },
  { title: 'NODE', shrinks: true },
  { title: 'USER', shrinks: true },
  { title: 'ADDRESS' },
  { title: 'SINCE' },
  { title: 'IN/S', align: 'right' },
  { title: 'OUT/S', align: 'right' },
  { title: 'QUEUE', align: 'right' },
  { title: 'UNACKED', align: 'right', isOptional: true },
  { title: 'SUBS', align: 'right', isOptional: true },
  { title: 'MQTT', isOptional: true },
];
const RETAINED_COLUMNS: readonly Column[] = [
  { title: 'TOPIC', shrinks: true },
  { title: 'QOS', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'EXPIRES' },
  { title: 'PAYLOAD', shrinks: true },
];

/**
 * @param total all that match, shown or not
 * @param rates has seen the clients twice
 * @param now ms since 1970
 */
export function clientLines(
  clients: readonly ClientView[],
  total: number,
  rates: MessageRateMeter,
  now: number,
  paint: Paint,
  columns: number,
): string[] {
  if (clients.length === 0) return ['no client matches'];
  const rows = clients.map((client) => [
    client.id,
    client.node,
    client.user ?? NONE,
    stateOf(client),
    client.since === null ? NONE : formatDuration(now - client.since),
    ...rateCells(client, rates),
    queueOf(client),
    formatCount(client.inflight),
    formatCount(client.subscriptions),
    client.mqtt ?? NONE,
  ]);
  return [
    ...formatTable(CLIENT_COLUMNS, rows, paint, columns),
    ...moreLine(clients.length, total, paint),
  ];
}

/** One client with everything that the node knows of it. */
export function clientDetailLines(
  { client, subscriptions, deliveries, will, memory, traffic, rules }: ClientDetail,
  rates: MessageRateMeter,
  now: number,
  paint: Paint,
  columns: number,
): string[] {
  const { id, node, user, address, listener, mqtt, since, expirySeconds, isConnected } = client;
  const connection = isConnected
    ? `connected to ${node} for ${formatDuration(now - (since ?? now))}, from ${address} by listener ${listener}, MQTT ${mqtt}`
    : `not connected; its session is on ${node}`;
  const expiry =
    expirySeconds === null
      ? 'never expires'
      : `expires ${formatDuration(1000 * expirySeconds)} after it leaves`;
  return [
    `${paint.bold(printable(id))}  ${connection}`,
    `  user           ${user === null ? NONE : printable(user)}`,
    `  session        ${expirySeconds === 0 ? 'ends with the connection' : expiry}`,
    `  will           ${will === null ? NONE : `${printable(will.topic)}, QoS ${will.qos}, ${formatBytes(will.bytes)}`}`,
    `  queue          ${formatNumber(client.queued, 'message')} waiting, ${formatCount(client.inflight)} not acknowledged${client.isCongested ? '; it reads more slowly than messages come' : ''}`,
    `  memory         ${formatBytes(memory.bytes)}, ${formatBytes(memory.queueBytes)} of it in its queue; all clients of its user hold ${formatBytes(memory.userBytes)}`,
    ...messageLines(client, rates),
    ...trafficLines(traffic, now - (since ?? now)),
    ...ruleLines(rules),
    `  subscriptions  ${formatCount(client.subscriptions)}`,
    ...subscriptions.map(
      ({ filter, qos, noLocal, retainAsPublished }) =>
        `    ${printable(filter)}  QoS ${qos}${noLocal ? ', no local' : ''}${retainAsPublished ? ', retain as published' : ''}`,
    ),
    ...(deliveries.length === 0
      ? []
      : ['', ...formatTable(DELIVERY_COLUMNS, deliveries.map(deliveryRow), paint, columns)]),
  ];
}

/** Messages a second from the client and to it. */
export function rateCells(client: ClientView, rates: MessageRateMeter): [string, string] {
  const rate = rates.of(client);
  if (rate === undefined) return [NONE, NONE];
  return [formatRate(rate.receivedPerSecond), formatRate(rate.sentPerSecond)];
}

function messageLines(client: ClientView, rates: MessageRateMeter): string[] {
  const { publishReceived, publishSent } = client;
  if (publishReceived == null || publishSent == null) return [];
  const [received, sent] = rateCells(client, rates);
  return [
    `  messages       ${received}/s from it, ${sent}/s to it; ${formatCount(publishReceived)} and ${formatCount(publishSent)} since it connected`,
  ];
}

/** @param lastedMs of the connection */
function trafficLines(traffic: ClientDetail['traffic'], lastedMs: number): string[] {
  if (traffic === null) return [];
  const rate = (bytes: number): string =>
    `${formatBytes(bytes)} (${formatBytes(Math.round((1000 * bytes) / Math.max(lastedMs, 1000)))}/s)`;
  const { receivedBytes, sentBytes } = traffic;
  return [`  traffic        ${rate(receivedBytes)} from it, ${rate(sentBytes)} to it`];
}

function ruleLines(rules: ClientDetail['rules']): string[] {
  if (rules === null) return ['  access         every topic'];
  if (rules.length === 0) return ['  access         no topic'];
  return [
    '  access         the first line that matches decides; without one, no access',
    ...rules.map(
      ({ access, filter, place }) =>
        `    ${access.padEnd(9)}  ${printable(filter)}  (${printable(place)})`,
    ),
  ];
}

const DELIVERY_COLUMNS: readonly Column[] = [
  { title: 'MESSAGE', shrinks: true },
  { title: 'STATE' },
  { title: 'QOS', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'PACKET', align: 'right' },
];

function deliveryRow(delivery: ClientDetail['deliveries'][number]): Cell[] {
  const { topic, state, qos, bytes, packetId } = delivery;
  return [topic, state, String(qos), formatBytes(bytes), packetId === 0 ? NONE : `#${packetId}`];
}

export function retainedLines(
  messages: readonly RetainedView[],
  total: number,
  paint: Paint,
  columns: number,
): string[] {
  if (messages.length === 0) return ['no retained message matches'];
  const rows = messages.map(({ topic, qos, bytes, expiresIn, text, base64 }) => [
    topic,
    String(qos),
    formatBytes(bytes),
    expiresIn === null ? NONE : formatDuration(1000 * expiresIn),
    text === null ? { text: base64 ?? '(large)', style: 'dim' as const } : shortened(text),
  ]);
  return [
    ...formatTable(RETAINED_COLUMNS, rows, paint, columns),
    ...moreLine(messages.length, total, paint),
  ];
}

function stateOf({ isConnected, address }: ClientView): Cell {
  return isConnected ? (address ?? NONE) : { text: 'not connected', style: 'dim' };
}

function queueOf({ queued, isCongested }: ClientView): Cell {
  const text = formatCount(queued);
  return isCongested ? { text, style: 'warning' } : text;
}

function moreLine(shown: number, total: number, paint: Paint): string[] {
  return shown >= total ? [] : [paint.dim(`${formatCount(total - shown)} more; -limit shows them`)];
}

function shortened(text: string): string {
  return text.length > PAYLOAD_CHARS_MAX ? `${text.slice(0, PAYLOAD_CHARS_MAX - 1)}…` : text;
}
