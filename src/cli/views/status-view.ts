// What `shoal status` prints: the verdict, what is wrong with its cure, and a table of the nodes. Pure.

import type { StrangerView } from '../../http/discovery-view.ts';
import type {
  BridgeView,
  FaultView,
  NodeView,
  SummaryView,
  VerdictView,
} from '../../http/node-api.ts';
import {
  formatCount,
  formatDuration,
  formatLatency,
  formatNumber,
  formatRate,
  listOfWords,
} from '../../shared/units.ts';
import type { Paint, Style } from '../terminal/paint.ts';
import { type Cell, type Column, formatTable } from '../terminal/table.ts';
import { printable } from '../terminal/text-width.ts';

export interface SiteView {
  readonly verdict: VerdictView;
  readonly nodes: readonly NodeView[];
  /** Undefined from a node that is older than this command. */
  readonly summary?: SummaryView;
  /** Of all nodes. */
  readonly bridges?: readonly BridgeView[];
  /** A node of an older version says nothing of them. */
  readonly strangers?: readonly StrangerView[];
}

const COLUMNS: readonly Column[] = [
  { title: 'NODE', shrinks: true },
  { title: 'ADDRESS', shrinks: true, isOptional: true },
  { title: 'STATE' },
  { title: 'SINCE' },
  { title: 'RTT', align: 'right' },
  { title: 'LOSS out/in', align: 'right' },
  { title: 'DEVICES', align: 'right' },
  { title: 'MSG/S', align: 'right' },
  { title: 'LOAD', align: 'right' },
  { title: 'VERSION', isOptional: true },
];

const LEVEL_STYLES: Readonly<Record<VerdictView['level'], Style>> = {
  well: 'good',
  warning: 'warning',
  fault: 'bad',
};
const STATES: Readonly<Record<NodeView['state'], Cell>> = {
  alive: { text: 'online', style: 'good' },
  suspect: { text: 'suspect', style: 'warning' },
  offline: { text: 'offline', style: 'bad' },
  left: { text: 'left', style: 'dim' },
};
const NONE = '-';
/** Retained messages that differ for less are the latest ones, on their way. */
const ON_THEIR_WAY_MS = 10_000;
/** Boxes that start together agree on the holder of an address within about ten seconds. */
const ADDRESS_TAKEN_MS = 15_000;
const LABEL_WIDTH = 10;

/** @param now ms since 1970. @param columns width of the terminal */
export function statusLines(site: SiteView, now: number, paint: Paint, columns: number): string[] {
  const { verdict, nodes, strangers = [] } = site;
  const sorted = nodes.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const rows = sorted.map((node) => rowOf(node, nodes, now));
  return [
    paint[LEVEL_STYLES[verdict.level]](printable(verdict.sentence)),
    '',
    ...faultLines(verdict.faults, paint),
    ...formatTable(COLUMNS, rows, paint, columns),
    ...(nodes.length > 1 ? [paint.dim('* this box')] : []),
    ...summaryLines(site, now),
    ...strangers.map(({ address }) =>
      paint.warning(`a box at ${printable(address)} uses another token or cluster name`),
    ),
  ];
}

function summaryLines({ summary, nodes, bridges = [] }: SiteView, now: number): string[] {
  if (summary === undefined) return [];
  const { retained, clientUrls, siteNames = [] } = summary;
  const rows = [
    ['retained', retainedText(retained, nodes, now)],
    ...addressTexts(summary, nodes, now).map((text) => ['address', text] as const),
    ['devices', `connect to ${[...clientUrls, ...siteNames].join(' or ')}`],
    ...deliveryTexts(nodes).map((text) => ['messages', text] as const),
    ...bridgeTexts(bridges, now).map((text) => ['bridge', text] as const),
  ] as const;
  return ['', ...rows.map(([label, text]) => label.padEnd(LABEL_WIDTH) + printable(text))];
}

/** Only of a node with -sync=multicast. */
function deliveryTexts(nodes: readonly NodeView[]): string[] {
  const texts = (['multicast', 'unicast'] as const).flatMap((delivery) => {
    const names = nodes.filter((node) => node.delivery === delivery).map(({ name }) => name);
    return names.length === 0 ? [] : [`by ${delivery} to ${listOfWords(names)}`];
  });
  return texts.length === 0 ? [] : [`go ${texts.join(', ')}`];
}

/** The addresses of -address on this node, and those that other nodes hold. */
function addressTexts(
  { clientAddresses = [] }: SummaryView,
  nodes: readonly NodeView[],
  now: number,
): string[] {
  const online = nodes.filter(({ state }) => state === 'alive');
  const isStarting = online.every(({ since }) => now - since < ADDRESS_TAKEN_MS);
  const none = isStarting ? 'no box yet: all have just started' : 'no box';
  const held = nodes.flatMap((node) => node.clientAddresses ?? []);
  return [...new Set([...clientAddresses, ...held])].map((address) => {
    const holders = nodes.filter((node) => node.clientAddresses?.includes(address) === true);
    const names = holders.map(({ name }) => name);
    return `${address} for all devices, held by ${names.length === 0 ? none : listOfWords(names)}`;
  });
}

/** Each bridge once: as the node has it that runs it. */
function bridgeTexts(bridges: readonly BridgeView[], now: number): string[] {
  const running = bridges.filter(({ state }) => state !== 'standby');
  const idle = bridges.filter(
    ({ name }, index) =>
      running.every((one) => one.name !== name) &&
      bridges.findIndex((one) => one.name === name) === index,
  );
  return [
    ...running.map((bridge) => {
      const { name, node, address, state, since, queued, inflight } = bridge;
      const where =
        state === 'connected' ? `connected to ${address}` : `not connected to ${address}`;
      const waiting = `${formatNumber(queued + inflight, 'message')} waiting`;
      return `${name} on ${node} ${where} for ${formatDuration(now - (bridge.lostSince ?? since))}, ${waiting}`;
    }),
    ...idle.map(({ name }) => `no box runs ${name}`),
  ];
}

function retainedText(
  { count, isReplicated }: SummaryView['retained'],
  nodes: readonly NodeView[],
  now: number,
): string {
  const messages = formatNumber(count, 'message');
  const others = nodes.filter(({ isSelf, state }) => !isSelf && state === 'alive');
  if (others.length === 0) return messages;
  if (!isReplicated) return `${messages} on this box (-retained-sync is off)`;
  const differing = others.flatMap(({ name, retainedDifferSince }) =>
    retainedDifferSince === null ? [] : [{ name, ms: now - retainedDifferSince }],
  );
  const longest = Math.max(0, ...differing.map(({ ms }) => ms));
  if (differing.length === 0) return `${messages}, equal on all boxes`;
  if (longest < ON_THEIR_WAY_MS) {
    return `${messages}, equal on all boxes up to ${formatDuration(longest)} ago`;
  }
  const names = differing.map(({ name, ms }) => `${name} for ${formatDuration(ms)}`);
  return `${messages} on this box; others on ${listOfWords(names)}`;
}

/** Each fault with the line that mends it, and an empty line behind them. */
function faultLines(faults: readonly FaultView[], paint: Paint): string[] {
  const lines = faults.flatMap(({ severity, text, cure }) => {
    const label = paint[LEVEL_STYLES[severity]](severity.padEnd(8));
    return [`${label} ${printable(text)}`, `${' '.repeat(9)}mend: ${printable(cure)}`];
  });
  return lines.length === 0 ? [] : [...lines, ''];
}

function rowOf(node: NodeView, nodes: readonly NodeView[], now: number): Cell[] {
  const { name, isSelf, state, since, rttSeconds, loss, clients, receivedPerSecond, load } = node;
  const isOnline = state === 'alive' || state === 'suspect';
  const figure = (value: number | null, format: (value: number) => string): string =>
    value === null || !isOnline ? NONE : format(value);
  return [
    isSelf ? `${name} *` : name,
    addressOf(node, nodes),
    STATES[state],
    formatDuration(now - since),
    figure(rttSeconds, (seconds) => formatLatency(1000 * seconds)),
    isSelf || !isOnline ? NONE : `${percent(loss.out)}/${percent(loss.in)}`,
    figure(clients, formatCount),
    figure(receivedPerSecond, formatRate),
    figure(load, (value) => `${value} %`),
    node.version ?? NONE,
  ];
}

/** Without the port, unless several nodes share an address. */
function addressOf({ address }: NodeView, nodes: readonly NodeView[]): string {
  if (address === null) return NONE;
  const hosts = nodes.map((node) => hostOf(node.address ?? ''));
  return new Set(hosts).size === hosts.length ? hostOf(address) : address;
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

function percent(value: number | null): string {
  return value === null ? NONE : value.toFixed(2);
}
