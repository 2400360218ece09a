// Joins many Topic Filters into few that match at least the same topics: a filter that another covers is
// left out, and where there are still too many, all are cut after some levels, `a/b/c` to `a/#`.
// Invariant: the result is within the bounds, and matches every topic that does not begin with `$` and
// that one of the filters matches.

import { covers, type Levels, levelsOf } from './filter-algebra.ts';
import { isReservedTopic } from './topic.ts';

/** Filters in a joined set, ... */
export const JOINED_FILTERS_MAX = 200;
/** ... and their bytes with one more for each: they fit into four registers, whatever their lengths. */
export const JOINED_BYTES_MAX = 2960;
/** A longer filter is cut. */
export const JOINED_FILTER_BYTES_MAX = 240;
/** Levels of a joined filter; a filter with more is cut. */
export const JOINED_LEVELS_MAX = 16;
/** Filters to join; more of them are taken for `#`, so that joining takes some milliseconds at most. */
export const FILTERS_TO_JOIN_MAX = 2000;

/** Of `#` with one more byte. */
const END_BYTES = 2;

const EVERYTHING: readonly string[] = ['#'];

/** @param filters valid Topic Filters; those that begin with `$` are left out */
export function joinFilters(filters: Iterable<string>): readonly string[] {
  const joined = new JoinedFilters();
  let taken = 0;
  for (const filter of filters) {
    taken += 1;
    if (taken > FILTERS_TO_JOIN_MAX) return EVERYTHING;
    if (isReservedTopic(filter)) continue;
    joined.add(filter);
    if (joined.isEverything) return EVERYTHING;
  }
  return joined.filters().sort();
}

class JoinedFilters {
  #kept: Levels[] = [];
  #bytes = 0;
  /** Levels before a filter is cut. */
  #depth = JOINED_LEVELS_MAX;
  /** Filters as they were cut: many sessions may have the same. */
  readonly #seen = new Set<string>();

  get isEverything(): boolean {
    return this.#kept[0]?.[0] === '#';
  }

  filters(): string[] {
    return this.#kept.map((levels) => levels.join('/'));
  }

  add(filter: string): void {
    const levels = cut(levelsOf(filter, JOINED_LEVELS_MAX + 1), this.#depth);
    const text = levels.join('/');
    if (this.#seen.has(text)) return;
    this.#seen.add(text);
    this.#insert(levels);
    while (this.#kept.length > JOINED_FILTERS_MAX || this.#bytes > JOINED_BYTES_MAX) this.#narrow();
  }

  #insert(levels: Levels): void {
    if (this.#kept.some((other) => covers(other, levels))) return;
    const covered = this.#kept.filter((other) => covers(levels, other));
    if (covered.length > 0) this.#kept = this.#kept.filter((other) => !covered.includes(other));
    for (const other of covered) this.#bytes -= bytesOf(other);
    this.#kept.push(levels);
    this.#bytes += bytesOf(levels);
  }

  /** Cuts all filters one level earlier than the longest of them. */
  #narrow(): void {
    const all = this.#kept;
    this.#depth = Math.max(...all.map(({ length }) => length)) - 1;
    // `a/#` has as many levels as `a/b`, and is as long as its cut at one level.
    if (all.every((levels) => levels.length <= this.#depth || levels.at(-1) === '#')) {
      this.#depth -= 1;
    }
    this.#kept = [];
    this.#bytes = 0;
    for (const levels of all) this.#insert(cut(levels, this.#depth));
  }
}

function bytesOf(levels: Levels): number {
  return Buffer.byteLength(levels.join('/')) + 1;
}

/** The filter itself, or one of at most `depth` levels and `#`. */
function cut(levels: Levels, depth: number): Levels {
  let kept = 0;
  let bytes = 0;
  for (const level of levels) {
    if (kept === depth) break;
    bytes += Buffer.byteLength(level) + 1;
    if (bytes + END_BYTES > JOINED_FILTER_BYTES_MAX) break;
    kept += 1;
  }
  return kept < levels.length ? [...levels.slice(0, kept), '#'] : levels;
}
