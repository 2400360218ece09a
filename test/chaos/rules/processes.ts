// The rules on the processes of the nodes: none ends by itself, and none logs an error that no fault explains. Pure.

import { type ChaosEvent, eventsOf } from '../history.ts';
import { type Judgement, RECOVERY_MS, type Violation, windowsOf } from './verdict.ts';

/** What a node may log at level `error`, and the fault at its box that is the cause. */
const EXPLAINED: readonly (readonly [fault: RegExp, text: RegExp])[] = [
  [/^disk full$/, /changes cannot be written|disk|last changes/],
  [/^slow disk$/, /disk|last changes/],
  [/^no descriptors left$/, /descriptor|EMFILE|too many open files/],
];

/** A node that is stopped ends with 0; any other end is the test's kill -9. */
export function noneEnds(events: readonly ChaosEvent[]): Judgement {
  const violations: Violation[] = [];
  for (const { node, code, signal, by, at } of eventsOf(events, 'ended')) {
    if (by === 'kill' || (by === 'stop' && code === 0)) continue;
    const how = signal ?? `exit code ${code}`;
    const text =
      by === 'stop' ? `${node} was stopped and ended with ${how}` : `${node} ended with ${how}`;
    violations.push({ text, at });
  }
  return { looked: eventsOf(events, 'start').length, violations };
}

export function noUnexplainedError(events: readonly ChaosEvent[]): Judgement {
  const windows = windowsOf(events);
  const violations: Violation[] = [];
  for (const { node, text, at } of eventsOf(events, 'error')) {
    const isExplained = windows.some(
      ({ what, boxes, from, to }) =>
        boxes.includes(node) &&
        at >= from &&
        at <= to + RECOVERY_MS &&
        EXPLAINED.some(([fault, pattern]) => fault.test(what) && pattern.test(text)),
    );
    if (!isExplained) violations.push({ text: `${node} logs ${text}`, at });
  }
  return { looked: eventsOf(events, 'start').length, violations };
}
