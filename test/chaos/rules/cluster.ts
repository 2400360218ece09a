// The rules on what the nodes agree on when nothing breaks any more. Pure.

import { type ChaosEvent, type EventOf, eventsOf, keyOf } from '../history.ts';
import type { Shared } from '../options.ts';
import {
  deliveriesOf,
  endOf,
  forgetting,
  HALT_MS,
  haltsOf,
  type Judgement,
  quietTimes,
  RECOVERY_MS,
  type Violation,
  windowsOf,
} from './verdict.ts';

/** Each node publishes the will of a dead client to its subscriber exactly once. */
export function willsOnce(events: readonly ChaosEvent[]): Judgement {
  const times = quietTimes(events);
  const watchers = new Set(eventsOf(events, 'members').map(({ node }) => node));
  const wills = eventsOf(events, 'will');
  const violations: Violation[] = [];
  let looked = 0;
  for (const { client, at } of eventsOf(events, 'died')) {
    const quiet = times.find(({ from, to }) => at >= from && at < to);
    if (quiet === undefined) continue;
    const said = wills.filter((will) => will.of === client && will.at >= at && will.at < quiet.to);
    for (const node of watchers) {
      looked += 1;
      const count = said.filter((will) => will.node === node).length;
      if (count === 1) continue;
      violations.push({ text: `${node} published the will of ${client} ${count} times`, at });
    }
  }
  return { looked, violations };
}

/**
 * Whenever the nodes were looked at, they had the same value of each topic, and none that was older than what one of
 * them had acknowledged. A node without a data folder may forget a value that it has acknowledged. A node that is
 * halted or cut off reads what a connection has brought it only afterwards, which makes that value the newest.
 */
export function retainedConverged(events: readonly ChaosEvent[]): Judgement {
  const { isForgotten } = forgetting(events);
  const mayComeLate = lateness(events);
  const written = new Map<string, Write[]>();
  const byKey = new Map<string, Write>();
  const violations: Violation[] = [];
  let looked = 0;
  let views: EventOf<'retained'>[] = [];
  const compare = (): void => {
    for (const [topic, writes] of views.length === 0 ? [] : written) {
      const text = differenceOf(topic, views, writes, mayComeLate);
      looked += views.length;
      if (text !== undefined) violations.push({ text, at: views.at(-1)!.at });
    }
    views = [];
  };
  for (const event of events) {
    if (event.kind === 'retained') views.push(event);
    else compare();
    if (event.kind === 'publish' && event.retain) {
      const { number, node, at } = event;
      const write: Write = { number, node, at, acknowledgedAt: undefined, isLasting: false };
      const writes = written.get(event.topic) ?? [];
      written.set(event.topic, writes);
      writes.push(write);
      byKey.set(keyOf(event), write);
    } else if (event.kind === 'acknowledged') {
      const write = byKey.get(keyOf(event));
      if (write === undefined) continue;
      write.acknowledgedAt ??= event.at;
      if (!isForgotten(write.node, event.at)) write.isLasting = true;
    } else if (event.kind === 'fault' && event.what === 'all boxes off') {
      if (eventsOf(events, 'start').some(({ hasData }) => hasData)) continue;
      for (const write of byKey.values()) write.isLasting = false;
    }
  }
  compare();
  return { looked, violations };
}

/** A retained value on its way to a node. */
interface Write {
  readonly number: number;
  readonly node: string;
  readonly at: number;
  acknowledgedAt: number | undefined;
  /** It is acknowledged, and no node may have forgotten it since. */
  isLasting: boolean;
}

/**
 * A client may leave its connection to a node that does not run, and publish the next value at another one. What
 * it sent before waits in the socket, and the halted node cannot know that it is old: both writes are concurrent.
 * @returns whether a node may have taken the older write after the newer one
 */
function lateness(events: readonly ChaosEvent[]): (older: Write, newer: Write) => boolean {
  const halts = windowsOf(events).map(({ boxes, from, to }) => ({ boxes, from, to }));
  for (const one of eventsOf(events, 'starved')) {
    if (one.loopMs < HALT_MS) continue;
    halts.push({ boxes: [one.process], from: one.since, to: one.at });
  }
  return (older, newer) =>
    older.node !== newer.node &&
    halts.some(
      ({ boxes, from, to }) =>
        boxes.includes(older.node) &&
        older.at < to &&
        (older.acknowledgedAt ?? Number.POSITIVE_INFINITY) > from &&
        newer.at < to + RECOVERY_MS,
    );
}

/** @returns undefined: the nodes have the same value of the topic, and it is not too old */
function differenceOf(
  topic: string,
  views: readonly EventOf<'retained'>[],
  writes: readonly Write[],
  mayComeLate: (older: Write, newer: Write) => boolean,
): string | undefined {
  const values = views.map(({ node, values }) => ({
    node,
    number: values.find((value) => value.topic === topic)?.number,
  }));
  const text = values.map(({ node, number }) => `${node}: ${number ?? 'nothing'}`).join(', ');
  const [common, ...others] = new Set(values.map(({ number }) => number));
  if (others.length > 0) return `${topic} differs: ${text}`;
  const held = writes.find(({ number }) => number === common);
  const newest = writes.findLast(
    (one) =>
      one.isLasting &&
      one.number > (common ?? -1) &&
      (held === undefined || !mayComeLate(held, one)),
  );
  if (newest !== undefined) {
    return `${topic} is not the newest: ${text}; ${newest.number} was acknowledged`;
  }
  if (common !== undefined && held === undefined) return `${topic} was never published: ${text}`;
  return undefined;
}

export function membershipConverged(events: readonly ChaosEvent[]): Judgement {
  const views = eventsOf(events, 'members');
  const all = [...new Set(views.map(({ node }) => node))].sort();
  const wrong = views.filter(({ online }) => [...online].sort().join() !== all.join());
  return {
    looked: views.length,
    violations: wrong.map(({ node, online, at }) => ({
      text: `${node} sees ${online.join(', ') || 'no node'}`,
      at,
    })),
  };
}

export function oneConnection(events: readonly ChaosEvent[]): Judgement {
  const violations: Violation[] = [];
  let looked = 0;
  let places = new Map<string, string[]>();
  const compare = (at: number): void => {
    looked += places.size;
    for (const [client, nodes] of places) {
      if (nodes.length > 1) violations.push({ text: `${client} is at ${nodes.join(' and ')}`, at });
    }
    places = new Map();
  };
  for (const event of events) {
    // Each time that the nodes are looked at ends with this.
    if (event.kind === 'quiet') compare(event.at);
    if (event.kind !== 'clients') continue;
    for (const client of event.connected) {
      places.set(client, [...(places.get(client) ?? []), event.node]);
    }
  }
  compare(endOf(events));
  return { looked, violations };
}

/** Once in the whole site, or with `-shared=node` once at each node. */
export function jobsOnce(events: readonly ChaosEvent[]): Judgement {
  const done = new Map<string, string[]>();
  for (const one of deliveriesOf(events, 'jobs/')) {
    done.set(keyOf(one), [...(done.get(keyOf(one)) ?? []), one.node]);
  }
  const nodes = new Set(eventsOf(events, 'start').map(({ node }) => node)).size;
  const halted = haltsOf(events);
  const violations: Violation[] = [];
  let shared: Shared = 'cluster';
  let looked = 0;
  for (const event of events) {
    if (event.kind === 'round') shared = event.shared;
    if (event.kind !== 'publish' || !event.topic.startsWith('jobs/')) continue;
    const places = done.get(keyOf(event)) ?? [];
    const expected = shared === 'cluster' ? 1 : nodes;
    if (places.length < expected && halted(event.at)) continue;
    looked += 1;
    if (places.length === expected && new Set(places).size === expected) continue;
    const text = `${keyOf(event)} was done ${places.length} times`;
    violations.push({ text, at: event.at, message: event });
  }
  return { looked, violations };
}
