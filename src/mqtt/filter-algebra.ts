// Topic Filters as sets of topics: the intersection of two, and whether one contains the other.
// Permissions depend on it, so no answer may be too permissive. Works on levels, because a filter is
// split once and compared often. Source: MQTT 5.0 4.7.

import { isReservedTopic } from './topic.ts';

export type Levels = readonly string[];

/**
 * Splits a filter. `+/#` becomes `#`, which matches the same topics.
 * @param max levels after which the split ends
 */
export function levelsOf(filter: string, max?: number): Levels {
  const levels = filter.split('/', max);
  return levels.length === 2 && levels[0] === '+' && levels[1] === '#' ? ['#'] : levels;
}

/** A wildcard at the first level does not match topics that begin with `$` [MQTT5-4.7.2-1]. */
function isBeyondWildcards(level: string | undefined, depth: number): boolean {
  return depth === 0 && level !== undefined && isReservedTopic(level);
}

/** The filter for the topics that both filters match; undefined if there are none. */
export function intersect(a: Levels, b: Levels): Levels | undefined {
  const common: string[] = [];
  for (let depth = 0; ; depth++) {
    const x = a[depth];
    const y = b[depth];
    if (x === '#') return isBeyondWildcards(y, depth) ? undefined : [...common, ...b.slice(depth)];
    if (y === '#') return isBeyondWildcards(x, depth) ? undefined : [...common, ...a.slice(depth)];
    if (x === undefined || y === undefined) return x === y ? common : undefined;
    if (x === '+' || y === '+') {
      const other = x === '+' ? y : x;
      if (isBeyondWildcards(other, depth)) return undefined;
      common.push(other);
    } else if (x === y) {
      common.push(x);
    } else {
      return undefined;
    }
  }
}

/** True if `outer` matches every topic that `inner` matches. */
export function covers(outer: Levels, inner: Levels): boolean {
  for (let depth = 0; ; depth++) {
    const x = outer[depth];
    const y = inner[depth];
    if (x === '#') return !isBeyondWildcards(y, depth);
    if (x === undefined || y === undefined) return x === y;
    if (y === '#') return false;
    if (x === '+' ? isBeyondWildcards(y, depth) : x !== y) return false;
  }
}
