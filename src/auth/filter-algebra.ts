// Topic Filters as sets of topics: what two have in common, and whether one lies within another.
// Permissions are decided with it, so an answer must never be too generous. Works on levels, because a
// filter is taken apart once and compared often. Source: MQTT 5.0 4.7.

import { isReservedTopic } from '../mqtt/topic.ts';

export type Levels = readonly string[];

/** `+/#` becomes `#`, which matches the same topics; so equal sets mostly have equal levels. */
export function levelsOf(filter: string): Levels {
  const levels = filter.split('/');
  return levels.length === 2 && levels[0] === '+' && levels[1] === '#' ? ['#'] : levels;
}

/** Wildcards at the first level don't match topics that begin with `$` [MQTT5-4.7.2-1]. */
function isBeyondWildcards(level: string | undefined, depth: number): boolean {
  return depth === 0 && level !== undefined && isReservedTopic(level);
}

/** @param topic levels of a Topic Name */
export function matches(filter: Levels, topic: Levels): boolean {
  for (let depth = 0; depth < filter.length; depth++) {
    const wanted = filter[depth];
    const level = topic[depth];
    if (wanted === '#') return !isBeyondWildcards(level, depth);
    if (level === undefined) return false;
    if (wanted === '+' ? isBeyondWildcards(level, depth) : wanted !== level) return false;
  }
  return filter.length === topic.length;
}

/** The filter that matches exactly what both match; undefined where that is nothing. */
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

/** True if every topic that `inner` matches is matched by `outer`. */
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
