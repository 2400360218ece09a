// The rules on what the nodes agree on when nothing breaks any more. Pure.

import { type ChaosEvent, eventsOf, keyOf } from '../history.ts';
import { deliveriesOf, endOf, type Judgement, quietSince, type Violation } from './verdict.ts';

/** Each node publishes the will of a dead client to its subscriber exactly once. */
export function willsOnce(events: readonly ChaosEvent[]): Judgement {
  const quietAt = quietSince(events);
  const died = eventsOf(events, 'died').filter(({ at }) => at >= quietAt);
  const wills = eventsOf(events, 'will').filter(({ at }) => at >= quietAt);
  const watchers = new Set(eventsOf(events, 'members').map(({ node }) => node));
  const violations: Violation[] = [];
  for (const { client, at } of died) {
    for (const node of watchers) {
      const count = wills.filter((will) => will.of === client && will.node === node).length;
      if (count === 1) continue;
      violations.push({ text: `${node} published the will of ${client} ${count} times`, at });
    }
  }
  return { looked: died.length * watchers.size, violations };
}

export function retainedConverged(events: readonly ChaosEvent[]): Judgement {
  const nodes = eventsOf(events, 'retained');
  const acknowledged = new Map<string, number>();
  const written = new Map<string, number>();
  for (const { topic, number } of eventsOf(events, 'acknowledged')) {
    raise(acknowledged, topic, number);
  }
  for (const { topic, number, retain } of eventsOf(events, 'publish')) {
    if (retain) raise(written, topic, number);
  }
  const violations: Violation[] = [];
  const at = endOf(nodes);
  for (const [topic, last] of nodes.length === 0 ? [] : written) {
    const values = nodes.map(({ node, values }) => ({
      node,
      number: values.find((value) => value.topic === topic)?.number,
    }));
    const text = values.map(({ node, number }) => `${node}: ${number ?? 'nothing'}`).join(', ');
    const least = acknowledged.get(topic) ?? -1;
    if (new Set(values.map(({ number }) => number)).size > 1) {
      violations.push({ text: `${topic} differs: ${text}`, at });
    } else if (values.some(({ number = -1 }) => number < least || number > last)) {
      const more = `${least} was acknowledged`;
      violations.push({ text: `${topic} is not the newest: ${text}; ${more}`, at });
    }
  }
  return { looked: written.size * nodes.length, violations };
}

export function membershipConverged(events: readonly ChaosEvent[]): Judgement {
  const views = eventsOf(events, 'members');
  const all = views.map(({ node }) => node).sort();
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
  const places = new Map<string, string[]>();
  const views = eventsOf(events, 'clients');
  for (const { node, connected } of views) {
    for (const client of connected) places.set(client, [...(places.get(client) ?? []), node]);
  }
  const twice = [...places].filter(([, nodes]) => nodes.length > 1);
  return {
    looked: places.size,
    violations: twice.map(([client, nodes]) => ({
      text: `${client} is at ${nodes.join(' and ')}`,
      at: endOf(views),
    })),
  };
}

export function jobsOnce(events: readonly ChaosEvent[]): Judgement {
  const jobs = eventsOf(events, 'publish').filter(({ topic }) => topic.startsWith('jobs/'));
  const done = new Map<string, number>();
  for (const one of deliveriesOf(events, 'jobs/')) {
    done.set(keyOf(one), (done.get(keyOf(one)) ?? 0) + 1);
  }
  const wrong = jobs.filter((job) => done.get(keyOf(job)) !== 1);
  return {
    looked: jobs.length,
    violations: wrong.map((job) => ({
      text: `${keyOf(job)} was done ${done.get(keyOf(job)) ?? 0} times`,
      at: job.at,
      message: job,
    })),
  };
}

function raise(numbers: Map<string, number>, topic: string, number: number): void {
  numbers.set(topic, Math.max(numbers.get(topic) ?? -1, number));
}
