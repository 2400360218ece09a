// What wants attention on the whole site: the verdict of the node that serves the page, what other nodes
// alone can see, slow subscribers and bans. Joins and orders; the texts come from the nodes. Pure.

import type { BanView, FaultView, VerdictView } from '../http/node-api.ts';
import { faultSentence } from '../shared/fault-sentence.ts';
import { formatBytes, formatDuration, formatNumber } from '../shared/units.ts';
import type { ObservationsByNode } from './observations.ts';

/** A queue that has not been empty for less may be that of a burst. */
const SLOW_MS = 10_000;
/** Only the two ends of a link see its faults; all others are in the verdict of every node. */
const SEEN_BY_ITS_ENDS = new Set(['blocked', 'loss']);
const CHANGING = /[\d.]+ (?:%|s|min|h|d)(?: |$)/g;

export interface SiteFaults {
  readonly level: VerdictView['level'];
  readonly sentence: string;
  readonly faults: readonly FaultView[];
}

export interface Notice {
  readonly kind: 'slow' | 'ban';
  readonly text: string;
  /** A client that a person can open. */
  readonly client?: string;
  readonly ban?: BanView;
}

/** @param self name of the node that gave `own` */
export function siteFaults(
  own: VerdictView,
  self: string,
  observations: ObservationsByNode,
): SiteFaults {
  const faults = [...own.faults];
  const known = new Set(faults.map(keyOf));
  for (const { node, verdict } of observations.values()) {
    if (node === self) continue;
    for (const fault of verdict.faults) {
      if (!SEEN_BY_ITS_ENDS.has(fault.code) || known.has(keyOf(fault))) continue;
      known.add(keyOf(fault));
      faults.push(fault);
    }
  }
  if (faults.length === own.faults.length) return own;
  faults.sort((a, b) => weightOf(a) - weightOf(b));
  return { level: faults[0]!.severity, sentence: faultSentence(faults), faults };
}

/** Both ends of a link report its faults, each with a figure of its own. */
function keyOf({ code, text }: FaultView): string {
  return `${code} ${withoutFigures(text)}`;
}

/** A text without the figures that change while the fault stays. */
export function withoutFigures(text: string): string {
  return text.replace(CHANGING, '');
}

function weightOf({ severity }: FaultView): number {
  return severity === 'fault' ? 0 : 1;
}

/** @param now clock of the node that serves the page, ms since 1970 */
export function noticesOf(observations: ObservationsByNode, now: number): Notice[] {
  const slow: Notice[] = [];
  const bans = new Map<string, Notice>();
  for (const { node, slowSubscribers, bans: banned } of observations.values()) {
    for (const { client, isOnline, messages, bytes, since } of slowSubscribers) {
      if (!isOnline || now - since < SLOW_MS) continue;
      const waiting = `${formatNumber(messages, 'message')} (${formatBytes(bytes)})`;
      const age = formatDuration(now - since);
      const text = `${client} on ${node} reads slowly: ${waiting} wait, for ${age} now`;
      slow.push({ kind: 'slow', text, client });
    }
    for (const ban of banned) {
      if (ban.until <= now) continue;
      const rest = formatDuration(ban.until - now);
      const text = `${nameOf(ban)} may not connect for ${rest} (${ban.reason})`;
      bans.set(nameOf(ban), { kind: 'ban', text, ban });
    }
  }
  return [...slow, ...bans.values()];
}

function nameOf({ client, user, address }: BanView): string {
  const name = client ?? (user == null ? undefined : `User ${user}`);
  if (name === undefined) return address ?? 'Everyone';
  return address === null ? name : `${name} from ${address}`;
}
