// Wall-clock and processor time for the load generator.

import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Stretch } from './types.ts';

export const BROKER_CORE = 0;
export const GENERATOR_CORE = 1;

/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Milliseconds since 1970 with a fraction, comparable between processes of one machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** @returns user and system time that the process has used, seconds */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** @returns seconds that the core was idle since the machine started */
function idleSeconds(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'));
  const fields = (line?.[1] ?? '').split(' ').map(Number);
  return ((fields[3] ?? Number.NaN) + (fields[4] ?? 0)) / TICKS_PER_SECOND;
}

export interface Interval {
  readonly seconds: number;
  readonly generatorCpu: number;
  readonly brokerCpu: number;
  /** Seconds that the broker's core was idle. */
  readonly brokerIdle: number;
}

/** Starts an interval. @returns a function that ends it */
export function startInterval(brokerPid: number): () => Interval {
  const startedAt = performance.now();
  const own = process.cpuUsage();
  const broker = cpuSeconds(brokerPid);
  const idle = idleSeconds(BROKER_CORE);
  return () => {
    const { user, system } = process.cpuUsage(own);
    return {
      seconds: (performance.now() - startedAt) / 1000,
      generatorCpu: (user + system) / 1e6,
      brokerCpu: cpuSeconds(brokerPid) - broker,
      brokerIdle: idleSeconds(BROKER_CORE) - idle,
    };
  };
}

/** The work of an interval as a rate and as processor time. */
export function perMessage(interval: Interval, messages: number) {
  const { seconds, generatorCpu, brokerCpu, brokerIdle } = interval;
  return {
    rate: messages / seconds,
    generatorBusy: generatorCpu / seconds,
    brokerBusy: brokerCpu / seconds,
    brokerIdle: brokerIdle / seconds,
    generatorUs: (generatorCpu / messages) * 1e6,
    brokerUs: (brokerCpu / messages) * 1e6,
  };
}

/** The longest stretches are kept: this many, at least this long. */
const STRETCHES_MAX = 200;
const STRETCH_MS_MIN = 1;

/** Keeps the longest of many stretches; merges those that overlap. */
export class Longest {
  #kept: Stretch[] = [];

  /** Adds a stretch that ends now. */
  add(ms: number): void {
    if (ms < STRETCH_MS_MIN) return;
    const at = wallMs() - ms;
    const last = this.#kept.findIndex((other) => at < other.at + other.ms);
    if (last < 0) this.#kept.push({ at, ms });
    else if (this.#kept[last]!.ms < ms) this.#kept[last] = { at, ms };
    if (this.#kept.length > 2 * STRETCHES_MAX) this.#kept = this.list();
  }

  list(): Stretch[] {
    return this.#kept.sort((a, b) => b.ms - a.ms).slice(0, STRETCHES_MAX);
  }
}
