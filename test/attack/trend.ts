// Figures of a process over time and their trend, for runs that look for slow growth. Knows nothing of what
// the process does.
// Invariant: a trend comes with its uncertainty, so that a short run does not pass for a long one.

import { readdirSync, readFileSync } from 'node:fs';

export interface Trend {
  /** Growth an hour, in the unit of the values, by linear regression. */
  readonly anHour: number;
  /** Two standard errors of it: the true growth is most likely no further away. */
  readonly uncertainty: number;
  readonly mean: number;
}

/** @returns resident memory of a process, bytes; Linux only */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** @returns open file descriptors of a process; Linux only */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

const meanOf = (list: readonly number[]): number =>
  list.reduce((sum, one) => sum + one, 0) / list.length;

/**
 * The trend of evenly spaced values.
 * @param everyMinutes time between two values
 */
export function trendOf(values: readonly number[], everyMinutes: number): Trend {
  const hours = values.map((_, i) => (i * everyMinutes) / 60);
  const [x, y] = [meanOf(hours), meanOf(values)];
  const spread = hours.reduce((sum, hour) => sum + (hour - x) ** 2, 0);
  const anHour = hours.reduce((sum, hour, i) => sum + (hour - x) * (values[i]! - y), 0) / spread;
  const errors = values.map((value, i) => value - y - anHour * (hours[i]! - x));
  const variance = errors.reduce((sum, error) => sum + error ** 2, 0) / (values.length - 2);
  return { anHour, uncertainty: 2 * Math.sqrt(variance / spread), mean: y };
}

/** The last half of a run, which no longer fills caches and tables. */
export function secondHalf<T>(samples: readonly T[]): readonly T[] {
  return samples.slice(Math.floor(samples.length / 2));
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
