// The rules on what happens to messages, under all faults. Pure.

import { type ChaosEvent, type EventOf, eventsOf, keyOf } from '../history.ts';
import { deliveriesOf, type Judgement, type Violation } from './verdict.ts';

/** Each session that waits at the node must get it, from the time of its subscription. */
export function nothingAcknowledgedIsLost(events: readonly ChaosEvent[]): Judgement {
  const got = new Set(deliveriesOf(events, 'local/').map((one) => `${one.client} ${keyOf(one)}`));
  const publishedAt = new Map(eventsOf(events, 'publish').map((one) => [keyOf(one), one.at]));
  const sessions = firstSubscriptions(events);
  const violations: Violation[] = [];
  let looked = 0;
  for (const message of eventsOf(events, 'acknowledged')) {
    for (const { client, filter, at } of sessions) {
      if (!message.topic.startsWith(filter.replace('#', ''))) continue;
      if ((publishedAt.get(keyOf(message)) ?? 0) < at) continue;
      looked += 1;
      if (got.has(`${client} ${keyOf(message)}`)) continue;
      const text = `${client} never got ${keyOf(message)}`;
      violations.push({ text, at: message.at, message });
    }
  }
  return { looked, violations };
}

export function exactlyOnce(events: readonly ChaosEvent[]): Judgement {
  const all = deliveriesOf(events, 'local/').filter(({ topic }) => topic.endsWith('/2'));
  return { looked: all.length, violations: repeated(all) };
}

export function forwardedOnce(events: readonly ChaosEvent[]): Judgement {
  const all = deliveriesOf(events, 'cross/');
  return { looked: all.length, violations: repeated(all) };
}

/** A message that comes again later is in order if it came in order first. */
export function inOrder(events: readonly ChaosEvent[]): Judgement {
  const highest = new Map<string, number>();
  const seen = new Set<string>();
  const violations: Violation[] = [];
  const all = [...deliveriesOf(events, 'local/'), ...deliveriesOf(events, 'cross/')];
  for (const one of all) {
    if (seen.has(`${one.client} ${keyOf(one)}`)) continue;
    seen.add(`${one.client} ${keyOf(one)}`);
    const stream = `${one.client} ${one.publisher} ${one.topic}`;
    const before = highest.get(stream) ?? -1;
    if (one.number < before) {
      const text = `${one.client} got ${keyOf(one)} after ${before}`;
      violations.push({ text, at: one.at, message: one });
    }
    highest.set(stream, Math.max(before, one.number));
  }
  return { looked: all.length, violations };
}

function repeated(all: readonly EventOf<'delivery'>[]): Violation[] {
  const seen = new Set<string>();
  const violations: Violation[] = [];
  for (const one of all) {
    const key = `${one.client} ${keyOf(one)}`;
    if (seen.has(key)) {
      violations.push({ text: `${one.client} got ${keyOf(one)} again`, at: one.at, message: one });
    }
    seen.add(key);
  }
  return violations;
}

function firstSubscriptions(events: readonly ChaosEvent[]): EventOf<'subscribed'>[] {
  const first = new Map<string, EventOf<'subscribed'>>();
  for (const one of eventsOf(events, 'subscribed')) {
    if (one.filter.startsWith('local/') && !first.has(one.client)) first.set(one.client, one);
  }
  return [...first.values()];
}
