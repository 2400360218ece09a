// Times of the clock that the cores use, as times of day for people.

import { performance } from 'node:perf_hooks';

/** @param at milliseconds of performance.now(). @returns ms since 1970 */
export function wallTime(at: number): number {
  return Math.round(Date.now() + at - performance.now());
}
