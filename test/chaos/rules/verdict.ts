// What a rule returns, and what several rules share. Pure.

import { type ChaosEvent, type EventOf, eventsOf, type MessageId } from '../history.ts';

export interface Violation {
  readonly text: string;
  /** When it showed, milliseconds since the start of the run. */
  readonly at: number;
  readonly message?: MessageId;
}

export interface Judgement {
  /** How many things the rule looked at: a rule that looked at none has proven nothing. */
  readonly looked: number;
  readonly violations: readonly Violation[];
  /** What was measured, where the rule has a bound. */
  readonly measured?: string;
}

/** So long after a fault at its own node a client still counts as concerned. */
export const RECOVERY_MS = 5000;

export type Rule = (events: readonly ChaosEvent[]) => Judgement;

export interface Window {
  readonly what: string;
  readonly boxes: readonly string[];
  readonly from: number;
  /** Infinity: it has not ended. */
  readonly to: number;
}

/** The faults of a history, each with its begin and its end. */
export function windowsOf(events: readonly ChaosEvent[]): Window[] {
  const windows: { what: string; boxes: string[]; from: number; to: number }[] = [];
  for (const { what, target, phase, at } of eventsOf(events, 'fault')) {
    const boxes = target.split(', ');
    if (phase === 'begin') {
      windows.push({ what, boxes, from: at, to: Number.POSITIVE_INFINITY });
      continue;
    }
    const open = windows.find(
      (one) => one.what === what && one.boxes.join(', ') === target && !Number.isFinite(one.to),
    );
    if (open !== undefined) open.to = at;
  }
  return windows;
}

export function deliveriesOf(
  events: readonly ChaosEvent[],
  prefix: 'local/' | 'cross/' | 'jobs/' | 'call/',
): EventOf<'delivery'>[] {
  return eventsOf(events, 'delivery').filter(({ topic }) => topic.startsWith(prefix));
}

/** The times in which nothing broke; the last one lasts to the end of the history. */
export function quietTimes(events: readonly ChaosEvent[]): { from: number; to: number }[] {
  const times: { from: number; to: number }[] = [];
  for (const { kind, at } of events) {
    if (kind === 'quiet') times.push({ from: at, to: Number.POSITIVE_INFINITY });
    else if (kind === 'round' && times.length > 0) times.at(-1)!.to = at;
  }
  return times;
}

/** What may still be under way when a node without a data folder ends: readers are away for 8 s, faults take up to 10 s. */
const UNDER_WAY_MS = 60_000;

/**
 * Nodes without a data folder forget what they have when their process ends.
 * @returns whether the node may have forgotten something of that time before it could pass it on; for each node,
 *   when its processes ended
 */
export function forgetting(events: readonly ChaosEvent[]): {
  isForgotten(node: string, from: number, to?: number): boolean;
  endsOf(node: string): readonly number[];
} {
  const withData = new Set<string>();
  const ends = new Map<string, number[]>();
  for (const event of events) {
    if (event.kind === 'start' && event.hasData) withData.add(event.node);
    if (event.kind !== 'ended' || withData.has(event.node)) continue;
    ends.set(event.node, [...(ends.get(event.node) ?? []), event.at]);
  }
  const endsOf = (node: string): readonly number[] => ends.get(node) ?? [];
  return {
    endsOf,
    isForgotten: (node, from, to = from) =>
      endsOf(node).some((at) => at >= from && at <= to + UNDER_WAY_MS),
  };
}

/** A node that the machine does not run for so long counts as silent: its peers go on without it (src/sync/send-window.ts). */
export const HALT_MS = 400;

/** @returns whether the machine has halted a node around that time: messages between nodes may be lost then */
export function haltsOf(events: readonly ChaosEvent[]): (at: number) => boolean {
  const halts = eventsOf(events, 'starved').filter(({ loopMs }) => loopMs >= HALT_MS);
  return (at) =>
    halts.some((one) => at > one.since - HALT_AROUND_MS && at < one.at + HALT_AROUND_MS);
}

const HALT_AROUND_MS = 2000;

export function endOf(events: readonly ChaosEvent[]): number {
  return events.at(-1)?.at ?? 0;
}
