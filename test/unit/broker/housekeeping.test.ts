// Large pieces of work (ends of sessions, hand-overs, expiries, wills, $SYS) take several turns, and
// nothing of them is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

const EXPIRY = { sessionExpiryInterval: 60 };

/** Runs all deferred work and returns the number of turns. */
function finish(world: World): number {
  const { broker } = world;
  let isPending = true;
  broker.onDeferred = () => {
    isPending = true;
  };
  let turns = 0;
  for (; isPending; turns++) {
    isPending = false;
    broker.runDeferred(world.now);
  }
  return turns - 1;
}

function manyFilters(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `a/${i}`);
}

test('the end of a session with many subscriptions takes several turns', () => {
  const world = new World();
  const client = world.connect('c');
  client.send(wire.subscribe(5, 1, manyFilters(3000)));
  finish(world);
  client.lose();
  assert.ok(world.broker.context.tree.size > 0);
  assert.ok(finish(world) > 3);
  assert.equal(world.broker.context.tree.size, 0);
  assert.equal(world.broker.context.tree.nodes, 0);
});

test('an ended session gets no further message, and its successor gets each once', () => {
  const world = new World();
  const filters = [...manyFilters(3000), '$share/g/s'];
  const first = world.connect('c', { properties: EXPIRY });
  first.send(wire.subscribe(5, 1, filters));
  finish(world);
  const second = world.connect('c');
  for (let turn = 0; turn < 2; turn++) world.broker.runDeferred(world.now);
  second.subscribe(['a/2999', '$share/g/s']);
  assert.ok(world.broker.context.tree.size > 1000, 'the old session is not gone yet');
  const publisher = world.connect('p');
  for (const topic of ['a/2999', 's', 's']) publisher.publish(topic, topic, { qos: 1 });
  finish(world);
  assert.deepEqual(second.payloads(), ['a/2999', 's', 's']);
  assert.equal(world.broker.context.tree.size, 2);
});

for (const [ending, what] of [
  [true, 'a session ends'],
  [false, 'a member goes offline'],
] as const) {
  test(`if ${what}, the other member gets its long queue in turns, each message once`, () => {
    const world = new World({ queueMessagesMax: 10_000 });
    const first = world.connect('first', { properties: { ...EXPIRY, receiveMaximum: 1 } });
    first.subscribe('$share/g/t');
    const publisher = world.connect('p');
    const sent = Array.from({ length: 8000 }, (_, i) => `${i}`);
    for (const payload of sent) publisher.publish('t', payload, { qos: 1 });
    const second = world.connect('second');
    second.subscribe('$share/g/t');
    if (ending) first.leave(0, { sessionExpiryInterval: 0 });
    else first.lose();
    const early = second.payloads().length;
    assert.ok(early < 8000, `${early} of 8000 in the first turn`);
    assert.ok(finish(world) > 1);
    const inflight = ending ? 0 : 1;
    assert.equal(early + second.payloads().length, sent.length - inflight);
  });
}

test('a member that reconnects keeps the messages that were not handed over yet', () => {
  const world = new World({ queueMessagesMax: 10_000 });
  const first = world.connect('first', { properties: { ...EXPIRY, receiveMaximum: 1 } });
  first.subscribe('$share/g/t');
  const publisher = world.connect('p');
  for (let i = 0; i < 8000; i++) publisher.publish('t', `${i}`, { qos: 1 });
  const second = world.connect('second');
  second.subscribe('$share/g/t');
  first.lose();
  const again = world.connect('first', { clean: false, properties: EXPIRY });
  finish(world);
  const [kept, moved] = [again.payloads(), second.payloads()];
  assert.ok(kept.length > 1000, `${kept.length} kept`);
  assert.deepEqual(
    [...kept, ...moved].map(Number).sort((a, b) => a - b),
    Array.from({ length: 8000 }, (_, i) => i),
  );
});

test('of very many sessions that expire at once, some end in a later turn', () => {
  const world = new World();
  const count = 3000;
  for (let i = 0; i < count; i++) world.connect(`c${i}`, { properties: EXPIRY }).lose();
  world.now += 60_000;
  const { broker } = world;
  for (let turn = 0; turn < 10 && broker.sessionCount === count; turn++) broker.advance(world.now);
  const { sessionCount } = broker;
  assert.ok(sessionCount > 0 && sessionCount < count, `${sessionCount} are left`);
  assert.ok(world.broker.nextDeadline() <= world.now, 'they stay due');
  world.advance(0);
  assert.equal(world.broker.sessionCount, 0);
  assert.equal(world.broker.stats.sessionsExpired, count);
});

test('many delayed wills that are due at once are published in turns, none is lost', () => {
  const world = new World();
  const watchers = Array.from({ length: 200 }, (_, i) => world.connect(`w${i}`));
  for (const watcher of watchers) watcher.subscribe('will');
  const properties = { willDelayInterval: 1 };
  for (let i = 0; i < 1000; i++) {
    world.connect(`c${i}`, { properties: EXPIRY, will: { topic: 'will', properties } }).lose();
  }
  world.now += 1000;
  world.broker.advance(world.now);
  assert.ok((watchers[0]?.inbox.length ?? 0) < 1000);
  world.advance(0);
  for (const watcher of watchers) assert.equal(watcher.messages().length, 1000);
});

test('$SYS is published to very many subscribers in turns, completely', () => {
  const world = new World({ sysIntervalSeconds: 10 });
  const watchers = Array.from({ length: 4000 }, (_, i) => world.connect(`w${i}`));
  for (const watcher of watchers) watcher.subscribe('$SYS/#');
  for (const watcher of watchers) watcher.messages();
  world.now += 10_000;
  world.broker.advance(world.now);
  const first = new Set(watchers[0]?.messages().map(({ topic }) => topic));
  assert.ok(finish(world) > 1);
  const rest = new Set(watchers[0]?.messages().map(({ topic }) => topic));
  const all = Array.from(world.broker.context.retained.all(), ({ topic }) => topic.name);
  assert.ok(all.length > 30);
  assert.deepEqual([...new Set([...first, ...rest])].sort(), all.sort());
});

test('clients that flood at the same time share each turn equally', () => {
  const world = new World();
  const watcher = world.connect('w');
  watcher.subscribe('#');
  const flood = Array.from({ length: 40_000 }, () => '');
  const flooders = ['a', 'b', 'c', 'd'].map((name) => ({ name, client: world.connect(name) }));
  const seen = (): string[] => watcher.messages().map(({ topic }) => topic);
  const all: string[] = [];
  for (const { name, client } of flooders) {
    client.send(Buffer.concat(flood.map(() => wire.publish(5, { topic: name, payload: '' }))));
    all.push(...seen());
  }
  for (let round = 0; round < 3; round++) {
    world.broker.runDeferred(world.now);
    const turn = seen();
    const counts = flooders.map(({ name }) => turn.filter((topic) => topic === name).length);
    assert.ok(Math.min(...counts) > 0.9 * Math.max(...counts), `shares of the turn: ${counts}`);
    all.push(...turn);
  }
  finish(world);
  all.push(...seen());
  for (const { name } of flooders) {
    assert.equal(all.filter((topic) => topic === name).length, flood.length);
  }
});
