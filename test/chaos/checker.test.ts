// Each rule of the chaos checker finds a history that breaks it, and only that rule does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, RULES, type RuleName, type Verdict } from './checker.ts';
import type { ChaosEvent, EventBody } from './history.ts';

const NODES = ['n1', 'n2'];

function history(...events: readonly EventBody[]): ChaosEvent[] {
  return events.map((event, at) => ({ at, ...event }) as ChaosEvent);
}

function id(topic: string, number: number, publisher = 'p') {
  return { publisher, topic, number };
}

function published(topic: string, number: number, retain = false): EventBody {
  return { kind: 'publish', node: 'n1', qos: 1, retain, ...id(topic, number) };
}

function acknowledged(topic: string, number: number): EventBody {
  return { kind: 'acknowledged', ...id(topic, number) };
}

function delivered(topic: string, number: number, client = 'c'): EventBody {
  const common = { client, node: 'n1', dup: false, retain: false };
  return { kind: 'delivery', ...common, ...id(topic, number) };
}

function members(node: string, online: readonly string[] = NODES): EventBody {
  return { kind: 'members', node, online };
}

function sample(residentBytes: number, descriptors = 30, at = 0): EventBody & { at: number } {
  return { kind: 'sample', node: 'n1', pid: 1, residentBytes, descriptors, at };
}

function retained(node: string, ...numbers: readonly number[]): EventBody {
  return { kind: 'retained', node, values: numbers.map((number) => id('state/a', number)) };
}

function subscribed(client = 'c'): EventBody {
  return { kind: 'subscribed', client, node: 'n1', filter: 'local/n1/#' };
}

function fault(target: string, phase: 'begin' | 'end'): EventBody {
  return { kind: 'fault', what: 'SIGSTOP', target, phase };
}

function started(node: string, hasData = true): EventBody {
  return { kind: 'start', node, hasData, flags: [] };
}

function ended(by: 'kill' | 'stop' | 'itself', code: number | null): EventBody {
  return { kind: 'ended', node: 'n1', code, signal: code === null ? 'SIGKILL' : null, by };
}

function heard(node: string, number: number): EventBody {
  const common = { client: `caller-${node}`, node, dup: false, retain: false };
  return { kind: 'delivery', ...common, ...id('call/n1', number) };
}

const quiet: EventBody = { kind: 'quiet' };
const BOTH_START = NODES.map((node) => started(node));
const BOTH_SEE_BOTH = NODES.map((node) => members(node));

const broken: Readonly<Record<RuleName, readonly EventBody[]>> = {
  'no acknowledged message is lost at its node': [
    subscribed('c'),
    subscribed('d'),
    delivered('local/n1/1', 0, 'd'),
    published('local/n1/1', 0),
    acknowledged('local/n1/1', 0),
  ],
  'QoS 2 never comes twice': [delivered('local/n1/2', 0), delivered('local/n1/2', 0)],
  'a message crosses to another node once at most': [
    delivered('cross/n1', 4),
    delivered('cross/n1', 4),
  ],
  'a message reaches every node of a quiet cluster, once': [
    ...BOTH_START,
    quiet,
    published('call/n1', 0),
    heard('n1', 0),
    published('call/n1', 1),
    heard('n1', 1),
    heard('n2', 1),
  ],
  'messages of one publisher and topic keep their order': [
    delivered('cross/n1', 4),
    delivered('cross/n1', 3),
  ],
  'a will is published once': [
    quiet,
    ...BOTH_SEE_BOTH,
    { kind: 'died', client: 'r' },
    { kind: 'will', client: 'w1', node: 'n1', of: 'r' },
    { kind: 'will', client: 'w1', node: 'n1', of: 'r' },
    { kind: 'will', client: 'w2', node: 'n2', of: 'r' },
  ],
  'retained values are equal on all nodes, and the newest': [
    published('state/a', 0, true),
    published('state/a', 1, true),
    retained('n1', 1),
    retained('n2', 0),
  ],
  'all nodes see all nodes': [members('n1'), members('n2', ['n2'])],
  'a client identifier is connected at one node': [
    { kind: 'clients', node: 'n1', connected: ['r', 'a'] },
    { kind: 'clients', node: 'n2', connected: ['r'] },
  ],
  'a job of a shared group is done once': [
    published('jobs/all', 0),
    delivered('jobs/all', 0, 'worker-1'),
    delivered('jobs/all', 0, 'worker-2'),
  ],
  'a fault at one node does not disturb the clients of others': [
    fault('n2', 'begin'),
    { kind: 'ping lost', node: 'n2' },
    { kind: 'ping lost', node: 'n1' },
  ],
  'no node ends by itself': [...BOTH_START, ended('itself', 1)],
  'no node logs an error that no fault explains': [
    ...BOTH_START,
    { kind: 'error', node: 'n1', text: 'event="changes cannot be written"' },
  ],
  'memory stays bounded': [sample(60e6), sample(400e6, 30, 20_000)],
  'descriptors stay bounded': [sample(60e6), sample(60e6, 100, 20_000)],
};

for (const [rule, events] of Object.entries(broken)) {
  test(`a history that breaks "${rule}" is found`, () => {
    const found = check(history(...events)).filter(({ violations }) => violations.length > 0);
    assert.deepEqual(
      found.map((verdict) => verdict.rule),
      [rule],
    );
  });
}

test('every rule has a history that breaks it', () => {
  assert.deepEqual(Object.keys(broken).sort(), Object.keys(RULES).sort());
});

test('an older retained value than the one that was acknowledged is no good, even if all hold it', () => {
  const events = history(
    published('state/a', 0, true),
    published('state/a', 1, true),
    acknowledged('state/a', 1),
    retained('n1', 0),
    retained('n2', 0),
  );
  assert.equal(check(events).filter(({ violations }) => violations.length > 0).length, 1);
});

function violationsOf(rule: RuleName, ...events: readonly EventBody[]): string[] {
  return check(history(...events), [rule])[0]!.violations.map(({ text }) => text);
}

test('a node without a data folder may forget what it had at its end, and only that', () => {
  const rule = 'no acknowledged message is lost at its node';
  const run = (hasData: boolean, ...more: EventBody[]) =>
    violationsOf(
      rule,
      started('n1', hasData),
      subscribed(),
      published('local/n1/1', 0),
      acknowledged('local/n1/1', 0),
      ended('kill', null),
      started('n1', hasData),
      ...more,
    );
  assert.equal(run(true).length, 1);
  assert.deepEqual(run(false), []);
  const later = [published('local/n1/1', 1), acknowledged('local/n1/1', 1)];
  assert.deepEqual(run(false, ...later), [], 'before it subscribes again');
  assert.equal(run(false, subscribed(), ...later).length, 1);
});

test('a node without a data folder may send a QoS 2 message again after its end', () => {
  const run = (hasData: boolean) =>
    violationsOf(
      'QoS 2 never comes twice',
      started('n1', hasData),
      published('local/n1/2', 0),
      delivered('local/n1/2', 0),
      ended('kill', null),
      delivered('local/n1/2', 0),
    );
  assert.equal(run(true).length, 1);
  assert.deepEqual(run(false), []);
});

test('a retained value of a node without a data folder may be lost with the node, the same everywhere', () => {
  const run = (hasData: boolean, ...seen: EventBody[]) =>
    violationsOf(
      'retained values are equal on all nodes, and the newest',
      started('n1', hasData),
      started('n2'),
      published('state/a', 0, true),
      published('state/a', 1, true),
      acknowledged('state/a', 1),
      ended('kill', null),
      ...seen,
    );
  assert.equal(run(true, retained('n1', 0), retained('n2', 0)).length, 1);
  assert.deepEqual(run(false, retained('n1', 0), retained('n2', 0)), []);
  assert.equal(run(false, retained('n1', 1), retained('n2', 0)).length, 1);
});

/** A client publishes 0 and leaves its connection, then 1 at `node`; n1 acknowledges 0 at `late`. */
function movedClient(node: string, late: number, ...faults: readonly ChaosEvent[]): ChaosEvent[] {
  const write = (number: number): EventBody => published('state/a', number, true);
  const rest: ChaosEvent[] = [
    { at: 2000, ...write(0) } as ChaosEvent,
    { at: 3000, ...write(1), node } as ChaosEvent,
    { at: 3100, ...acknowledged('state/a', 1) } as ChaosEvent,
    { at: late, ...acknowledged('state/a', 0) } as ChaosEvent,
    ...NODES.map((one) => ({ at: 90_000, ...retained(one, 0) }) as ChaosEvent),
  ];
  const both = BOTH_START.map((event) => ({ at: 0, ...event }) as ChaosEvent);
  return [...both, ...faults, ...rest].sort((one, other) => one.at - other.at);
}

test('a halted node may take what an old connection brought it for the newest value', () => {
  const rule = 'retained values are equal on all nodes, and the newest';
  const count = (...of: Parameters<typeof movedClient>): number =>
    check(movedClient(...of), [rule])[0]!.violations.length;
  const halt = (from: number, to: number): ChaosEvent[] => [
    { at: from, ...fault('n1', 'begin') } as ChaosEvent,
    { at: to, ...fault('n1', 'end') } as ChaosEvent,
  ];
  assert.equal(count('n2', 6001, ...halt(1000, 6000)), 0);
  const byMachine = {
    kind: 'starved',
    process: 'n1',
    ms: 4900,
    loopMs: 4900,
    since: 1000,
  } as const;
  assert.equal(count('n2', 6001, { at: 5900, ...byMachine }), 0);
  assert.equal(count('n2', 6001), 1, 'no node is halted');
  assert.equal(count('n1', 6001, ...halt(1000, 6000)), 1, 'the newer one is of the same node');
  assert.equal(count('n2', 2100, ...halt(2500, 6000)), 1, 'the older one was acknowledged before');
  assert.equal(count('n2', 6001, ...halt(3200, 6000)), 0, 'on its way when the node is halted');
  assert.equal(count('n2', 90_001, ...halt(500, 1900)), 1, 'the node runs again');
});

test('each quiet time counts by itself', () => {
  const round: EventBody = { kind: 'round', shared: 'cluster' };
  const will: EventBody = { kind: 'will', client: 'w1', node: 'n1', of: 'r' };
  const first: EventBody[] = [members('n1', ['n1']), quiet, { kind: 'died', client: 'r' }];
  assert.deepEqual(violationsOf('a will is published once', ...first, will, round, quiet), []);
  assert.equal(violationsOf('a will is published once', ...first, round, quiet, will).length, 1);
  const place = (node: string): EventBody => ({ kind: 'clients', node, connected: ['r'] });
  const rule = 'a client identifier is connected at one node';
  assert.deepEqual(violationsOf(rule, place('n1'), quiet, round, place('n2'), quiet), []);
});

test('with -shared=node each node does a job once', () => {
  const run = (...done: string[]) =>
    violationsOf(
      'a job of a shared group is done once',
      ...BOTH_START,
      { kind: 'round', shared: 'node' },
      published('jobs/all', 0),
      ...done.map(
        (node): EventBody => ({
          ...{ kind: 'delivery', client: `worker-${node}`, node, dup: false, retain: false },
          ...id('jobs/all', 0),
        }),
      ),
    );
  assert.deepEqual(run('n1', 'n2'), []);
  assert.equal(run('n1').length, 1);
  assert.equal(run('n1', 'n1').length, 1);
});

test('a node that is stopped ends with 0', () => {
  const rule = 'no node ends by itself';
  assert.deepEqual(violationsOf(rule, ended('stop', 0), ended('kill', null)), []);
  assert.deepEqual(violationsOf(rule, ended('stop', 1)), [
    'n1 was stopped and ended with exit code 1',
  ]);
});

test('an error on a full disk is explained, and one of something else is not', () => {
  const full = (phase: 'begin' | 'end'): EventBody =>
    ({ ...fault('n1', phase), what: 'disk full' }) as EventBody;
  const error = (text: string): EventBody => ({ kind: 'error', node: 'n1', text });
  const rule = 'no node logs an error that no fault explains';
  const run = (text: string) => violationsOf(rule, full('begin'), error(text), full('end'));
  assert.deepEqual(run('changes cannot be written'), []);
  assert.equal(run('cluster name lost').length, 1);
});

const INNOCENTS: RuleName[] = ['a fault at one node does not disturb the clients of others'];

test('a client that waits is innocent where no fault is at its node, nor was until 5 s before', () => {
  const events = (node: string, endAt: number): ChaosEvent[] => [
    { at: 1000, ...fault('n1', 'begin') } as ChaosEvent,
    { at: endAt, ...fault('n1', 'end') } as ChaosEvent,
    { at: 20_000, kind: 'ping', node, ms: 4000 },
  ];
  const count = (...of: [string, number]): number =>
    check(events(...of), INNOCENTS)[0]!.violations.length;
  assert.equal(count('n1', 15_000), 0);
  assert.equal(count('n2', 15_000), 2, 'the wait, and one in a hundred');
  assert.equal(count('n1', 5000), 2);
});

test("a wait for a processor of the machine is not the broker's", () => {
  const starved = (process: string): ChaosEvent[] => [
    { at: 15_000, kind: 'starved', process, ms: 3950, loopMs: 3950, since: 14_000 },
    { at: 20_000, kind: 'ping', node: 'n1', ms: 6000 },
  ];
  const longest = (process: string) => check(starved(process), INNOCENTS)[0]!.measured;
  assert.equal(longest('n1'), 'p99 2050 ms, longest 2050 ms');
  assert.equal(longest('n2'), 'p99 6000 ms, longest 6000 ms');
});

test('a message that is lost while the machine halts a node does not count, one that comes twice does', () => {
  const rule = 'a message reaches every node of a quiet cluster, once';
  const halt = (loopMs: number): EventBody => {
    return { kind: 'starved', process: 'n2', ms: 900, loopMs, since: 0 };
  };
  const run = (...deliveries: EventBody[]) => runWith(900, ...deliveries);
  const runWith = (loopMs: number, ...deliveries: EventBody[]) => {
    const events = history(
      ...BOTH_START,
      quiet,
      halt(loopMs),
      published('call/n1', 0),
      ...deliveries,
    );
    const [{ looked, violations }] = check(events, [rule]) as [Verdict];
    return [looked, violations.length];
  };
  assert.deepEqual(run(heard('n1', 0)), [1, 0]);
  assert.deepEqual(
    runWith(90, heard('n1', 0)),
    [2, 1],
    'other threads than that of the event loop waited',
  );
  assert.deepEqual(run(heard('n1', 0), heard('n2', 0)), [2, 0]);
  assert.deepEqual(run(heard('n1', 0), heard('n2', 0), heard('n2', 0)), [2, 1]);
});

test('what a process needs to start is no growth', () => {
  const starting = [sample(3e6), sample(90e6, 30, 2000), sample(200e6, 30, 20_000)];
  const [verdict] = check(history(...starting), ['memory stays bounded']);
  assert.equal(verdict!.measured, 'at most 110 MB more');
});

test('a message that never comes back is a wait until the end', () => {
  const events: ChaosEvent[] = [
    { at: 1000, kind: 'ping', node: 'n1', ms: 3 },
    { at: 9000, ...quiet } as ChaosEvent,
  ];
  assert.match(check(events, INNOCENTS)[0]!.violations[0]!.text, /n1 waited 8000 ms/);
});

test('a sound history breaks no rule, and each rule says how much it looked at', () => {
  const events = history(
    ...BOTH_START,
    { kind: 'ping', node: 'n1', ms: 3 },
    // From before its subscription.
    published('local/n1/1', 9),
    acknowledged('local/n1/1', 9),
    subscribed(),
    published('local/n1/2', 0),
    delivered('local/n1/2', 0),
    acknowledged('local/n1/2', 0),
    // QoS 1 may come again, and in order all the same.
    delivered('local/n1/1', 0),
    delivered('local/n1/1', 1),
    delivered('local/n1/1', 0),
    delivered('cross/n1', 0),
    published('state/a', 0, true),
    acknowledged('state/a', 0),
    sample(60e6),
    quiet,
    ...BOTH_SEE_BOTH,
    retained('n1', 0),
    retained('n2', 0),
    { kind: 'clients', node: 'n1', connected: ['r'] },
    { kind: 'died', client: 'r' },
    { kind: 'will', client: 'w1', node: 'n1', of: 'r' },
    { kind: 'will', client: 'w2', node: 'n2', of: 'r' },
    published('jobs/all', 0),
    delivered('jobs/all', 0, 'worker-1'),
    published('call/n1', 0),
    heard('n1', 0),
    heard('n2', 0),
  );
  for (const { rule, looked, violations } of check(events)) {
    assert.deepEqual(violations, [], rule);
    assert.ok(looked > 0, rule);
  }
});
