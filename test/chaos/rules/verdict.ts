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
  prefix: 'local/' | 'cross/' | 'jobs/',
): EventOf<'delivery'>[] {
  return eventsOf(events, 'delivery').filter(({ topic }) => topic.startsWith(prefix));
}

/** When nothing broke any more; Infinity if that time has not come. */
export function quietSince(events: readonly ChaosEvent[]): number {
  return eventsOf(events, 'quiet').at(-1)?.at ?? Number.POSITIVE_INFINITY;
}

export function endOf(events: readonly ChaosEvent[]): number {
  return events.at(-1)?.at ?? 0;
}
