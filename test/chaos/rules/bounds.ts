// The rules with a bound: memory, descriptors, and what a client waits that no fault concerns. Pure.

import { type ChaosEvent, type EventOf, eventsOf } from '../history.ts';
import { endOf, type Judgement, RECOVERY_MS, type Violation, windowsOf } from './verdict.ts';

/** A process grows while it starts. */
const START_MS = 10_000;
/** A process may not grow by more than this after its start: queues of absent clients, and V8's slack. */
export const GROWTH_BYTES_MAX = 120 * 1024 * 1024;
export const DESCRIPTORS_GROWTH_MAX = 60;
/** Far above what a node needs (some ms), far below what a person takes for a fault. */
export const WAIT_MS_MAX = 1000;
/** A slow peer may hold back the messages to others for 200 ms (docs/cluster.md), so no client of one node waits longer. */
export const WAIT_MS_P99_MAX = 200;

export function memoryBounded(events: readonly ChaosEvent[]): Judgement {
  const unit = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  return growthBounded(events, ({ residentBytes }) => residentBytes, GROWTH_BYTES_MAX, unit);
}

export function descriptorsBounded(events: readonly ChaosEvent[]): Judgement {
  const unit = (count: number): string => `${count} descriptors`;
  return growthBounded(events, ({ descriptors }) => descriptors, DESCRIPTORS_GROWTH_MAX, unit);
}

/** Of each process, because a restart begins anew. */
function growthBounded(
  events: readonly ChaosEvent[],
  value: (sample: EventOf<'sample'>) => number,
  max: number,
  unit: (value: number) => string,
): Judgement {
  const starts = new Map<number, { readonly at: number; most: number }>();
  const violations: Violation[] = [];
  const samples = eventsOf(events, 'sample');
  let largest = 0;
  for (const sample of samples) {
    const start = starts.get(sample.pid) ?? { at: sample.at, most: 0 };
    starts.set(sample.pid, start);
    if (sample.at - start.at < START_MS) start.most = Math.max(start.most, value(sample));
    const growth = value(sample) - start.most;
    largest = Math.max(largest, growth);
    if (growth <= max) continue;
    violations.push({ text: `${sample.node} has ${unit(growth)} more`, at: sample.at });
  }
  return { looked: samples.length, violations, measured: `at most ${unit(largest)} more` };
}

/**
 * A fault at one node, and its end, does not disturb clients of the others: they keep their connections, and what
 * they publish comes back in time. The time that the machine did not run the processes does not count.
 */
export function innocentsServed(events: readonly ChaosEvent[]): Judgement {
  const windows = windowsOf(events);
  const isConcerned = (node: string, from: number, to: number): boolean =>
    windows.some((one) => one.boxes.includes(node) && from < one.to + RECOVERY_MS && to > one.from);
  const waits: number[] = [];
  const violations: Violation[] = [];
  const starved = starvation(events);
  for (const { node, ms, at } of [...eventsOf(events, 'ping'), ...unanswered(events)]) {
    if (isConcerned(node, at - ms, at)) continue;
    const wait = Math.max(0, ms - starved(node, at - ms, at));
    waits.push(wait);
    if (wait > WAIT_MS_MAX) {
      violations.push({ text: `a client of ${node} waited ${Math.round(wait)} ms`, at });
    }
  }
  for (const { node, at } of eventsOf(events, 'ping lost')) {
    if (!isConcerned(node, at, at)) {
      violations.push({ text: `a client of ${node} lost its connection`, at });
    }
  }
  waits.sort((a, b) => a - b);
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? 0;
  if (p99 > WAIT_MS_P99_MAX) {
    violations.push({ text: `one wait in a hundred is ${Math.round(p99)} ms or more`, at: 0 });
  }
  const measured = `p99 ${Math.round(p99)} ms, longest ${Math.round(waits.at(-1) ?? 0)} ms`;
  return { looked: waits.length, violations, measured };
}

/** At each node, the time from the last answer to the end of the history. */
function unanswered(events: readonly ChaosEvent[]): { node: string; ms: number; at: number }[] {
  const last = new Map<string, number>();
  for (const { node, at } of eventsOf(events, 'ping')) last.set(node, at);
  const end = endOf(events);
  return [...last].map(([node, at]) => ({ node, ms: end - at, at: end }));
}

/** @returns what the machine has let the node and the measuring client wait between two times */
function starvation(
  events: readonly ChaosEvent[],
): (node: string, from: number, to: number) => number {
  const byProcess = new Map<string, EventOf<'starved'>[]>();
  for (const one of eventsOf(events, 'starved')) {
    const all = byProcess.get(one.process) ?? [];
    byProcess.set(one.process, all);
    all.push(one);
  }
  return (node, from, to) => {
    let ms = 0;
    for (const process of [node, 'pinger']) {
      const all = byProcess.get(process) ?? [];
      for (let i = firstAfter(all, from); i < all.length && all[i]!.since < to; i++) {
        ms += all[i]!.ms;
      }
    }
    return ms;
  };
}

/** @returns index of the first event after that time */
function firstAfter(events: readonly ChaosEvent[], time: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle]!.at > time) high = middle;
    else low = middle + 1;
  }
  return low;
}
