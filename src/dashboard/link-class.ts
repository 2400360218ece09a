// How well a direction between two nodes does, as the class that colours it.

import type { NodeView } from '../http/node-api.ts';

const GOOD_PERCENT_MAX = 0.1;
const POOR_PERCENT_MAX = 2;

export type LinkClass = 'unknown' | 'good' | 'poor' | 'bad';

export function linkClass(lossPercent: number | null, isBlocked: boolean): LinkClass {
  if (isBlocked) return 'bad';
  if (lossPercent === null) return 'unknown';
  if (lossPercent <= GOOD_PERCENT_MAX) return 'good';
  return lossPercent <= POOR_PERCENT_MAX ? 'poor' : 'bad';
}

/** @param blocked as a node gives it, such as `in on UDP 7947` */
export function isBlockedIn(blocked: NodeView['blocked'], direction: 'in' | 'out'): boolean {
  return blocked.some((text) => text.startsWith(`${direction} `));
}
