// The rules on what happens to messages, under all faults. Pure.

import { type ChaosEvent, type EventOf, eventsOf, keyOf } from '../history.ts';
import {
  deliveriesOf,
  forgetting,
  haltsOf,
  type Judgement,
  quietTimes,
  type Violation,
} from './verdict.ts';

/**
 * Each session that waits at the node must get it, from the time of its subscription. Where the node has no data folder
 * the end of its process ends sessions.
 */
export function nothingAcknowledgedIsLost(events: readonly ChaosEvent[]): Judgement {
  const got = new Set(deliveriesOf(events, 'local/').map((one) => `${one.client} ${keyOf(one)}`));
  const publishedAt = publishTimes(events);
  const sessions = sessionsByNode(events);
  const { isForgotten, endsOf } = forgetting(events);
  const violations: Violation[] = [];
  let looked = 0;
  for (const message of eventsOf(events, 'acknowledged')) {
    if (!message.topic.startsWith('local/')) continue;
    const key = keyOf(message);
    const from = publishedAt.get(key) ?? 0;
    const [, node = ''] = message.topic.split('/');
    if (isForgotten(node, from, message.at)) continue;
    for (const { client, prefix, times } of sessions.get(node) ?? []) {
      const restartedAt = endsOf(node).findLast((at) => at < from) ?? Number.NEGATIVE_INFINITY;
      if (!times.some((at) => at > restartedAt && at <= from)) continue;
      if (!message.topic.startsWith(prefix)) continue;
      looked += 1;
      if (got.has(`${client} ${key}`)) continue;
      violations.push({ text: `${client} never got ${key}`, at: message.at, message });
    }
  }
  return { looked, violations };
}

/** A node without a data folder may forget at its end that it has a message. */
export function exactlyOnce(events: readonly ChaosEvent[]): Judgement {
  const publishedAt = publishTimes(events);
  const { isForgotten } = forgetting(events);
  const all = deliveriesOf(events, 'local/').filter(
    (one) =>
      one.topic.endsWith('/2') && !isForgotten(one.node, publishedAt.get(keyOf(one)) ?? 0, one.at),
  );
  return { looked: all.length, violations: repeated(all) };
}

export function forwardedOnce(events: readonly ChaosEvent[]): Judgement {
  const all = deliveriesOf(events, 'cross/');
  return { looked: all.length, violations: repeated(all) };
}

/** When nothing breaks, what a client publishes reaches the readers at all nodes, once. */
export function reachesAll(events: readonly ChaosEvent[]): Judgement {
  const times = quietTimes(events);
  const nodes = [...new Set(eventsOf(events, 'start').map(({ node }) => node))];
  const counts = new Map<string, number>();
  for (const one of deliveriesOf(events, 'call/')) {
    const key = `${one.node} ${keyOf(one)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const all = eventsOf(events, 'publish').filter(({ topic }) => topic.startsWith('call/'));
  const halted = haltsOf(events);
  const violations: Violation[] = [];
  let looked = 0;
  for (const message of all) {
    const isQuiet = times.some(({ from, to }) => message.at >= from && message.at < to);
    if (!isQuiet) continue;
    for (const node of nodes) {
      const count = counts.get(`${node} ${keyOf(message)}`) ?? 0;
      if (count === 0 && halted(message.at)) continue;
      looked += 1;
      if (count === 1) continue;
      const text = `${keyOf(message)} came ${count} times to the reader at ${node}`;
      violations.push({ text, at: message.at, message });
    }
  }
  return { looked, violations };
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

function publishTimes(events: readonly ChaosEvent[]): ReadonlyMap<string, number> {
  return new Map(eventsOf(events, 'publish').map((one) => [keyOf(one), one.at]));
}

interface Session {
  readonly client: string;
  readonly prefix: string;
  /** When it was subscribed, again and again where its node had forgotten it. */
  readonly times: number[];
}

function sessionsByNode(events: readonly ChaosEvent[]): ReadonlyMap<string, readonly Session[]> {
  const nodes = new Map<string, Map<string, Session>>();
  for (const { client, node, filter, at } of eventsOf(events, 'subscribed')) {
    if (!filter.startsWith('local/')) continue;
    const sessions = nodes.get(node) ?? new Map<string, Session>();
    nodes.set(node, sessions);
    const session = sessions.get(client) ?? { client, prefix: filter.replace('#', ''), times: [] };
    sessions.set(client, session);
    session.times.push(at);
  }
  return new Map([...nodes].map(([node, sessions]) => [node, [...sessions.values()]]));
}
