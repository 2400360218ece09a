// Judges a history: what Shoal promises, one rule after the other. A rule that finds a violation names the
// messages and the time of each. Pure: no clock, no network.
// The topics say what holds for them: `local/` is published and read at one node, under a session that
// outlives connections and restarts; `cross/` is read at other nodes without a session; `state/` is
// retained; `jobs/` is served by a shared group after the end of all faults.

import { type ChaosEvent, type EventOf, eventsOf, keyOf, type MessageId } from './history.ts';

export interface Verdict {
  readonly rule: string;
  /** How many things the rule looked at: a rule that looked at none has proven nothing. */
  readonly looked: number;
  readonly violations: readonly string[];
}

type Rule = (events: readonly ChaosEvent[]) => Omit<Verdict, 'rule'>;

/** A node may not grow by more than this between its first sample and its last, nor hold this many descriptors more. */
const GROWTH_BYTES_MAX = 120 * 1024 * 1024;
const DESCRIPTORS_GROWTH_MAX = 60;

export const RULES: Readonly<Record<string, Rule>> = {
  'no acknowledged message is lost at its node': nothingAcknowledgedIsLost,
  'QoS 2 never comes twice': exactlyOnce,
  'a message crosses to another node once at most': forwardedOnce,
  'messages of one publisher and topic keep their order': inOrder,
  'a will is said once': willsOnce,
  'retained values are equal on all nodes, and the newest': retainedConverged,
  'all nodes see all nodes': membershipConverged,
  'a client identifier is connected at one node': oneConnection,
  'a job of a shared group is done once': jobsOnce,
  'memory and descriptors stay bounded': bounded,
};

export function check(events: readonly ChaosEvent[]): Verdict[] {
  return Object.entries(RULES).map(([rule, judge]) => ({ rule, ...judge(events) }));
}

function nothingAcknowledgedIsLost(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const got = new Set(deliveries(events, 'local/').map(keyOf));
  const acknowledged = eventsOf(events, 'acknowledged').filter(({ topic }) =>
    isIn(topic, 'local/'),
  );
  const lost = acknowledged.filter((message) => !got.has(keyOf(message)));
  return {
    looked: acknowledged.length,
    violations: lost.map((message) => `${keyOf(message)}, acknowledged at ${time(message.at)}`),
  };
}

function exactlyOnce(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const all = deliveries(events, 'local/').filter(({ topic }) => topic.endsWith('/2'));
  return { looked: all.length, violations: repeated(all, ({ client }) => client) };
}

function forwardedOnce(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const all = deliveries(events, 'cross/');
  return { looked: all.length, violations: repeated(all, ({ client }) => client) };
}

/** A message that comes again later is in order if it came in order first. */
function inOrder(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const highest = new Map<string, number>();
  const seen = new Set<string>();
  const violations: string[] = [];
  const all = [...deliveries(events, 'local/'), ...deliveries(events, 'cross/')];
  for (const one of all) {
    if (seen.has(`${one.client} ${keyOf(one)}`)) continue;
    seen.add(`${one.client} ${keyOf(one)}`);
    const stream = `${one.client} ${one.publisher} ${one.topic}`;
    const before = highest.get(stream) ?? -1;
    if (one.number < before) {
      violations.push(`${one.client} got ${keyOf(one)} after ${before}, at ${time(one.at)}`);
    }
    highest.set(stream, Math.max(before, one.number));
  }
  return { looked: all.length, violations };
}

/** In quiet times: each node says the will of a dead client to its subscriber exactly once. */
function willsOnce(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const quietAt = quietSince(events);
  const died = eventsOf(events, 'died').filter(({ at }) => at >= quietAt);
  const wills = eventsOf(events, 'will').filter(({ at }) => at >= quietAt);
  const watchers = new Set(eventsOf(events, 'members').map(({ node }) => node));
  const violations: string[] = [];
  for (const { client } of died) {
    for (const node of watchers) {
      const count = wills.filter((will) => will.of === client && will.node === node).length;
      if (count !== 1) violations.push(`${node} said the will of ${client} ${count} times`);
    }
  }
  return { looked: died.length * watchers.size, violations };
}

function retainedConverged(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const nodes = eventsOf(events, 'retained');
  const acknowledged = new Map<string, number>();
  const written = new Map<string, number>();
  for (const { topic, number } of eventsOf(events, 'acknowledged'))
    raise(acknowledged, topic, number);
  for (const { topic, number, retain } of eventsOf(events, 'publish')) {
    if (retain) raise(written, topic, number);
  }
  const violations: string[] = [];
  for (const [topic, last] of written) {
    const values = nodes.map(({ node, values }) => ({
      node,
      number: values.find((value) => value.topic === topic)?.number,
    }));
    const text = values.map(({ node, number }) => `${node}: ${number ?? 'nothing'}`).join(', ');
    const least = acknowledged.get(topic) ?? -1;
    if (new Set(values.map(({ number }) => number)).size > 1)
      violations.push(`${topic} differs: ${text}`);
    else if (values.some(({ number = -1 }) => number < least || number > last)) {
      violations.push(`${topic} is not the newest: ${text}; ${least} was acknowledged`);
    }
  }
  return { looked: written.size * nodes.length, violations };
}

function membershipConverged(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const views = eventsOf(events, 'members');
  const all = views.map(({ node }) => node).sort();
  const wrong = views.filter(({ online }) => [...online].sort().join() !== all.join());
  return {
    looked: views.length,
    violations: wrong.map(({ node, online }) => `${node} sees ${online.join(', ') || 'no node'}`),
  };
}

function oneConnection(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const places = new Map<string, string[]>();
  for (const { node, connected } of eventsOf(events, 'clients')) {
    for (const client of connected) places.set(client, [...(places.get(client) ?? []), node]);
  }
  const twice = [...places].filter(([, nodes]) => nodes.length > 1);
  return {
    looked: places.size,
    violations: twice.map(([client, nodes]) => `${client} is at ${nodes.join(' and ')}`),
  };
}

function jobsOnce(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const jobs = eventsOf(events, 'publish').filter(({ topic }) => isIn(topic, 'jobs/'));
  const done = new Map<string, number>();
  for (const one of deliveries(events, 'jobs/')) {
    done.set(keyOf(one), (done.get(keyOf(one)) ?? 0) + 1);
  }
  const wrong = jobs.filter((job) => done.get(keyOf(job)) !== 1);
  return {
    looked: jobs.length,
    violations: wrong.map((job) => `${keyOf(job)} was done ${done.get(keyOf(job)) ?? 0} times`),
  };
}

/** Of each process, because a restart begins anew. */
function bounded(events: readonly ChaosEvent[]): Omit<Verdict, 'rule'> {
  const first = new Map<number, EventOf<'sample'>>();
  const violations: string[] = [];
  const samples = eventsOf(events, 'sample');
  for (const sample of samples) {
    const before = first.get(sample.pid) ?? sample;
    first.set(sample.pid, before);
    const bytes = sample.residentBytes - before.residentBytes;
    const descriptors = sample.descriptors - before.descriptors;
    if (bytes > GROWTH_BYTES_MAX || descriptors > DESCRIPTORS_GROWTH_MAX) {
      violations.push(
        `${sample.node} has ${Math.round(bytes / 1e6)} MB and ${descriptors} descriptors more at ${time(sample.at)}`,
      );
    }
  }
  return { looked: samples.length, violations };
}

function deliveries(events: readonly ChaosEvent[], prefix: string): EventOf<'delivery'>[] {
  return eventsOf(events, 'delivery').filter(({ topic }) => isIn(topic, prefix));
}

function repeated(
  all: readonly EventOf<'delivery'>[],
  reader: (one: EventOf<'delivery'>) => string,
): string[] {
  const seen = new Set<string>();
  const violations: string[] = [];
  for (const one of all) {
    const key = `${reader(one)} ${keyOf(one)}`;
    if (seen.has(key)) violations.push(`${reader(one)} got ${keyOf(one)} again at ${time(one.at)}`);
    seen.add(key);
  }
  return violations;
}

function quietSince(events: readonly ChaosEvent[]): number {
  return eventsOf(events, 'quiet').at(-1)?.at ?? Number.POSITIVE_INFINITY;
}

function raise(numbers: Map<string, number>, topic: string, number: number): void {
  numbers.set(topic, Math.max(numbers.get(topic) ?? -1, number));
}

function isIn(topic: MessageId['topic'], prefix: string): boolean {
  return topic.startsWith(prefix);
}

function time(at: number): string {
  return `${(at / 1000).toFixed(1)} s`;
}
