// The links between the nodes, each direction by itself, since UDP fails in one. Both ends measure a
// direction: the receiver what came, the sender what was confirmed; the worse figure counts. Pure.

import type { NodeView } from '../http/node-api.ts';
import type { ObservationsByNode } from './observations.ts';

const GOOD_PERCENT_MAX = 0.1;
const POOR_PERCENT_MAX = 2;

export type LinkClass = 'unknown' | 'good' | 'poor' | 'bad';

export interface Direction {
  readonly from: string;
  readonly to: string;
  /** Null while there was nothing to count. */
  readonly lossPercent: number | null;
  /** Ports of the receiver that nothing reaches, as `UDP 7947`. */
  readonly blocked: readonly string[];
  readonly rttSeconds: number | null;
}

export type Links = (from: string, to: string) => Direction;

type Measured = Pick<NodeView, 'name' | 'loss' | 'blocked' | 'rttSeconds'>;

/** @param nodes as the node that serves the page sees them: its own links are the freshest */
export function linksOf(nodes: readonly NodeView[], observations: ObservationsByNode): Links {
  const measured = new Map<string, Map<string, Measured>>();
  for (const { node, links, rttSeconds } of observations.values()) {
    const ofNode = links.map((one) => ({ ...one, rttSeconds: rttSeconds[one.name] ?? null }));
    measured.set(node, byName(ofNode));
  }
  const self = nodes.find(({ isSelf }) => isSelf);
  if (self !== undefined) measured.set(self.name, byName(nodes));
  return (from, to) => {
    const sender = measured.get(from)?.get(to);
    const receiver = measured.get(to)?.get(from);
    return {
      from,
      to,
      lossPercent: worse(sender?.loss.out ?? null, receiver?.loss.in ?? null),
      blocked: [...new Set([...portsOf(sender, 'out'), ...portsOf(receiver, 'in')])],
      rttSeconds: sender?.rttSeconds ?? receiver?.rttSeconds ?? null,
    };
  };
}

function byName(links: readonly Measured[]): Map<string, Measured> {
  return new Map(links.map((one) => [one.name, one]));
}

function worse(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** `in on UDP 7947` of a node is `UDP 7947`. */
function portsOf(link: Measured | undefined, direction: 'in' | 'out'): string[] {
  return (link?.blocked ?? [])
    .filter((text) => text.startsWith(`${direction} `))
    .map((text) => text.replace(/^\w+ on /, ''));
}

export function classOf({ lossPercent, blocked }: Direction): LinkClass {
  if (blocked.length > 0) return 'bad';
  if (lossPercent === null) return 'unknown';
  if (lossPercent <= GOOD_PERCENT_MAX) return 'good';
  return lossPercent <= POOR_PERCENT_MAX ? 'poor' : 'bad';
}

/** How a direction does, in words. */
export function wordsOf({ lossPercent, blocked }: Direction): string {
  if (blocked.length > 0) return `blocked on ${blocked.join(' and ')}`;
  return lossPercent === null ? 'no messages to measure' : `${lossPercent.toFixed(2)} % lost`;
}
