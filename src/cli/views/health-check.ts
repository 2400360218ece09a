// Judges the site by the thresholds of a monitoring system, and words the result for it. The faults are
// those of the verdict; thresholds only add to them. Pure.

import type { NodeView, VerdictView } from '../../http/node-api.ts';
import { formatNumber, formatShare } from '../../shared/units.ts';
import type { SiteView } from './status-view.ts';

export interface HealthLimits {
  /** Other boxes that have to be online; 0 = not checked. */
  readonly peersWarn: number;
  readonly peersCrit: number;
  /** Share of messages lost in a direction, 0 to 1. */
  readonly lossWarn: number;
  readonly lossCrit: number;
  /** Percent of the time. */
  readonly loadWarn: number;
  readonly loadCrit: number;
}

/** The words and numbers of Nagios plugins. */
export const HEALTH_LEVELS = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;
export type HealthLevel = (typeof HEALTH_LEVELS)[number];

export interface Health {
  readonly level: HealthLevel;
  /** Why, the worst first; the verdict if all is well. */
  readonly reasons: readonly string[];
  readonly figures: {
    readonly online: number;
    readonly devices: number;
    readonly messagesPerSecond: number;
    /** Of the worst direction, 0 to 1. */
    readonly loss: number;
    readonly loadPercent: number;
  };
}

export const FORMATS = ['text', 'json', 'nagios', 'prometheus'] as const;
export type HealthFormat = (typeof FORMATS)[number];

/** Without its disk a node loses what it has to keep: no threshold makes that less than critical. */
const CRITICAL_FAULTS: readonly string[] = ['disk'];
/** Faults that have thresholds of their own. */
const MEASURED_FAULTS: readonly string[] = ['loss', 'load'];

export function checkHealth({ verdict, nodes }: SiteView, limits: HealthLimits): Health {
  const figures = figuresOf(nodes);
  const found: (readonly [HealthLevel, string])[] = [
    ...faultsOf(verdict),
    ...above(figures.loss, limits.lossWarn, limits.lossCrit, (loss) => {
      return `${formatShare(loss)} of the messages between two boxes are lost`;
    }),
    ...above(figures.loadPercent, limits.loadWarn, limits.loadCrit, (load) => {
      return `a box is busy for ${load} % of its time`;
    }),
    ...below(figures.online - 1, limits.peersWarn, limits.peersCrit),
  ];
  const rank = ([level]: readonly [HealthLevel, string]): number => HEALTH_LEVELS.indexOf(level);
  const reasons = found.toSorted((a, b) => rank(b) - rank(a));
  const [worst] = reasons;
  if (worst === undefined) return { level: 'OK', reasons: [wellSentence(verdict)], figures };
  return { level: worst[0], reasons: reasons.map(([, text]) => text), figures };
}

/** The result where no node answers. */
export function unknownHealth(reason: string): Health {
  const figures = { online: 0, devices: 0, messagesPerSecond: 0, loss: 0, loadPercent: 0 };
  return { level: 'UNKNOWN', reasons: [reason], figures };
}

export function healthText(health: Health, limits: HealthLimits, format: HealthFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(health)}\n`;
    case 'nagios':
      return `SHOAL ${health.level}: ${health.reasons.join('; ')} | ${perfData(health, limits)}\n`;
    case 'prometheus':
      return prometheusText(health);
    case 'text':
      return `${health.level}: ${health.reasons.join('\n  ')}\n`;
  }
}

function figuresOf(nodes: readonly NodeView[]): Health['figures'] {
  const online = nodes.filter(({ state }) => state === 'alive');
  const sum = (read: (node: NodeView) => number | null): number =>
    online.reduce((total, node) => total + (read(node) ?? 0), 0);
  const losses = online.flatMap(({ loss }) => [loss.in ?? 0, loss.out ?? 0]);
  return {
    online: online.length,
    devices: sum(({ clients }) => clients),
    messagesPerSecond: sum(({ receivedPerSecond }) => receivedPerSecond),
    loss: Math.max(0, ...losses) / 100,
    loadPercent: Math.max(0, ...online.map(({ load }) => load ?? 0)),
  };
}

function faultsOf({ faults }: VerdictView): (readonly [HealthLevel, string])[] {
  return faults
    .filter(({ code }) => !MEASURED_FAULTS.includes(code))
    .map(({ code, text }) => [CRITICAL_FAULTS.includes(code) ? 'CRITICAL' : 'WARNING', text]);
}

function above(
  value: number,
  warn: number,
  crit: number,
  text: (value: number) => string,
): (readonly [HealthLevel, string])[] {
  if (value >= crit) return [['CRITICAL', text(value)]];
  return value >= warn ? [['WARNING', text(value)]] : [];
}

function below(peers: number, warn: number, crit: number): (readonly [HealthLevel, string])[] {
  const online = peers === 1 ? 'is' : 'are';
  const text = `${formatNumber(peers, 'other box', 'other boxes')} ${online} online`;
  if (peers < crit) return [['CRITICAL', `${text}, fewer than ${crit}`]];
  return peers < warn ? [['WARNING', `${text}, fewer than ${warn}`]] : [];
}

/** Where only a measured fault was in it, and that is below its threshold here. */
function wellSentence({ level, sentence, faults }: VerdictView): string {
  return level === 'well' ? sentence : `${faults.length} below the thresholds: ${sentence}`;
}

/** `label=value;warning;critical` (Nagios plugin guidelines). */
function perfData({ figures }: Health, limits: HealthLimits): string {
  const { online, devices, messagesPerSecond, loss, loadPercent } = figures;
  const percent = (share: number): string => (100 * share).toFixed(2);
  return [
    `boxes=${online}`,
    `devices=${devices}`,
    `messages=${messagesPerSecond}`,
    `loss=${percent(loss)}%;${percent(limits.lossWarn)};${percent(limits.lossCrit)}`,
    `load=${loadPercent}%;${limits.loadWarn};${limits.loadCrit}`,
  ].join(' ');
}

/** For the textfile collector of the node exporter. */
function prometheusText({ level, figures }: Health): string {
  const { online, devices, messagesPerSecond, loss, loadPercent } = figures;
  const gauges = [
    ['status', '0 ok, 1 warning, 2 critical, 3 no node answers', HEALTH_LEVELS.indexOf(level)],
    ['boxes_online', 'boxes that are online', online],
    ['devices', 'connected clients of all boxes', devices],
    ['message_rate', 'messages a second from clients of all boxes', messagesPerSecond],
    ['loss_ratio', 'share of messages lost, of the worst direction between two boxes', loss],
    ['load_ratio', 'share of the time in which the busiest box works', loadPercent / 100],
  ] as const;
  const lines = gauges.map(([name, help, value]) => {
    const metric = `shoal_check_${name}`;
    return `# HELP ${metric} ${help}\n# TYPE ${metric} gauge\n${metric} ${value}\n`;
  });
  return lines.join('');
}
