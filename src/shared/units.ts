// Durations, rates, shares and byte counts as a person reads them, for sentences, tables and commands.
// The decimal point is always a point, whatever the locale: scripts read the same texts.

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** From the largest: length in ms, its name, and the number of ms that the next smaller part has. */
const PARTS = [
  [DAY_MS, 'd', HOUR_MS, 'h'],
  [HOUR_MS, 'h', MINUTE_MS, 'min'],
  [MINUTE_MS, 'min', SECOND_MS, 's'],
] as const;

/** A duration in its two largest parts, rounded down: `4 min 12 s`, `12 d`, `2 s`; negative ones count as 0. */
export function formatDuration(ms: number): string {
  for (const [length, name, restLength, restName] of PARTS) {
    if (ms < length) continue;
    const rest = Math.floor((ms % length) / restLength);
    const shown = `${Math.floor(ms / length)} ${name}`;
    // After ten days the hours say nothing more.
    return rest === 0 || ms >= 10 * DAY_MS ? shown : `${shown} ${rest} ${restName}`;
  }
  return `${Math.floor(Math.max(0, ms) / SECOND_MS)} s`;
}

/** A short time with three digits: `0.41 ms`, `12.5 ms`, `1.25 s`. */
export function formatLatency(ms: number): string {
  if (ms >= SECOND_MS) return `${(ms / SECOND_MS).toFixed(2)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/** A number a second: `0`, `0.4`, `212`, `12,400`. */
export function formatRate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? trimZero(perSecond.toFixed(1)) : formatCount(perSecond);
}

/** A whole number with a comma between the thousands. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Bytes in powers of 1000: `17 B`, `4.1 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (value < 999.5) return `${unit === 'B' ? value : digits(value)} ${unit}`;
    value /= 1000;
  }
  return `${digits(value)} TB`;
}

/** A share of 1 as percent: `0.00 %`, `1.30 %`. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** `1 box`, `3 boxes`. */
export function formatNumber(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `box1`, `box1 and box2`, `box1, box2 and box3`. */
export function listOfWords(words: readonly string[]): string {
  const [last = '', ...before] = [...words].reverse();
  return before.length === 0 ? last : `${before.reverse().join(', ')} and ${last}`;
}

function digits(value: number): string {
  return value < 10 ? trimZero(value.toFixed(1)) : value.toFixed(0);
}

function trimZero(text: string): string {
  return text.replace(/\.0$/, '');
}
