// Work other than deliveries counts too and ends a turn when the budget is spent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAuthorizer } from '../../../src/broker/ports.ts';
import { WORK_PER_TURN } from '../../../src/broker/work-budget.ts';
import { FILTERS_MAX } from '../../../src/mqtt/frame-check.ts';
import { World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

/** Enough clients that the shapes of filters stay within the share of each. */
const CLIENTS = 16;
/** Too many to look at in one turn. */
const SESSIONS = 4_000;

/** The number of turns that the work takes, the first one included. */
function turnsOf(world: World, work: () => void): number {
  const { broker } = world;
  broker.runDeferred(world.now);
  let pending = false;
  broker.onDeferred = () => {
    pending = true;
  };
  work();
  let turns = 1;
  for (; pending; turns++) {
    pending = false;
    broker.runDeferred(world.now);
  }
  return turns;
}

function publishTo(topics: readonly string[]): Buffer {
  return Buffer.concat(topics.map((topic) => wire.publish(5, { topic, payload: '' })));
}

for (const [what, last, isTaken] of [
  ['many subscriptions match', 'z', true],
  ['there is no subscriber', 'none', false],
] as const) {
  test(`the search for the route of a new topic counts as work, if ${what}`, () => {
    const world = new World();
    const levels = 9;
    const forms = Array.from({ length: 1 << levels }, (_, i) =>
      Array.from({ length: levels }, (_, level) => ((i >> level) & 1 ? '+' : 'a')).join('/'),
    );
    const subscribers = Array.from({ length: CLIENTS }, (_, i) => {
      const subscriber = world.connect(`s${i}`);
      const filters = forms.filter((_, k) => k % CLIENTS === i).map((form) => `${form}/z/+`);
      turnsOf(world, () => subscriber.send(wire.subscribe(5, 1, filters)));
      assert.ok(subscriber.expect('suback').reasons.every((reason) => reason <= 2));
      return subscriber;
    });
    const publisher = world.connect('p');
    const topics = Array.from({ length: 20 }, (_, i) => `${'a/'.repeat(levels)}${last}/${i}`);

    const turns = turnsOf(world, () => publisher.send(publishTo(topics)));
    assert.ok(turns > 2, `${turns} turns`);
    for (const subscriber of subscribers) {
      assert.equal(subscriber.messages().length, isTaken ? topics.length : 0);
    }
    const again = turnsOf(world, () => publisher.send(publishTo(topics)));
    assert.equal(again, 1, 'a cached route costs nothing');
  });
}

test('the route of a topic that thousands of overlapping subscriptions match fits into a turn', () => {
  const world = new World();
  for (let i = 0; i < 2000; i++) {
    const subscriber = world.connect(`s${i}`);
    subscriber.send(wire.subscribe(5, 1, ['t/#', 't/+']));
  }
  const publisher = world.connect('p');
  const { budget } = world.broker.context;
  world.beginTurn();
  publisher.publish('t/a', '');
  assert.ok(budget.spentInTurn < WORK_PER_TURN, `${budget.spentInTurn} units`);
});

/** A world with retained messages at r/0, r/1, ... */
function worldWithRetained(count: number, denied = false): World {
  const authorizer = { ...openAuthorizer, permissive: false, mayReceive: () => !denied };
  const world = new World({}, { authorizer });
  const publisher = world.connect('retainer');
  for (let i = 0; i < count; i++) publisher.publish(`r/${i}`, `${i}`, { retain: true });
  return world;
}

for (const [what, filter, found, denied] of [
  ['none is found', '+/+/none', 0, false],
  ['all are found', 'r/+', 30_000, false],
  ['none is permitted', 'r/+', 0, true],
] as const) {
  test(`the search for retained messages takes several turns, if ${what}`, () => {
    const world = worldWithRetained(30_000, denied);
    const subscriber = world.connect('s');
    const subscribe = wire.subscribe(5, 1, [filter]);
    const turns = turnsOf(world, () => {
      subscriber.send(subscribe);
      subscriber.expect('suback');
      const other = world.connect('other');
      other.send(wire.PINGREQ);
      other.expect('pingresp');
    });
    assert.ok(turns > 2, `${turns} turns`);
    assert.equal(new Set(subscriber.payloads()).size, found);
  });
}

test('the search for retained messages ends with the connection', () => {
  const world = worldWithRetained(30_000);
  const subscriber = world.connect('s', { properties: { sessionExpiryInterval: 60 } });
  let sent = 0;
  const turns = turnsOf(world, () => {
    subscriber.send(wire.subscribe(5, 1, ['r/+']));
    sent = subscriber.inbox.length;
    subscriber.lose();
  });
  assert.equal(turns, 2);
  assert.equal(subscriber.inbox.length, sent);
  assert.equal(world.connect('s', { clean: false }).inbox.length, 0);
});

test('a packet with many Topic Filters takes several turns, and the next packet waits', () => {
  const world = new World();
  const client = world.connect('c');
  const other = world.connect('other');
  const filters = Array.from({ length: 2000 }, (_, i) => `a/${i}`);
  for (const [packet, answer] of [
    [wire.subscribe(5, 1, filters), 'suback'],
    [wire.unsubscribe(5, 2, filters), 'unsuback'],
  ] as const) {
    const turns = turnsOf(world, () => {
      client.send(Buffer.concat([packet, wire.PINGREQ]));
      client.expectNothing();
      other.send(wire.PINGREQ);
      other.expect('pingresp');
    });
    assert.ok(turns > 3, `${turns} turns`);
    assert.equal(client.expect(answer).reasons.length, filters.length);
    client.expect('pingresp');
    assert.equal(world.broker.context.tree.size, answer === 'suback' ? filters.length : 0);
  }
});

test('a client that disconnects during its SUBSCRIBE leaves no subscription', () => {
  const world = new World();
  const client = world.connect('c');
  const filters = Array.from({ length: 2000 }, (_, i) => `a/${i}`);
  turnsOf(world, () => {
    client.send(wire.subscribe(5, 1, filters));
    client.lose();
  });
  assert.equal(world.broker.context.tree.nodes, 0);
});

test('a packet with more Topic Filters than the limit ends the connection', () => {
  const world = new World();
  const filters = Array<string>(FILTERS_MAX + 1).fill('a');
  for (const packet of [wire.subscribe(5, 1, filters), wire.unsubscribe(5, 1, filters)]) {
    const client = world.connect('c');
    client.send(packet);
    client.expectEnded(0x97);
  }
  assert.equal(world.broker.context.tree.size, 0);
});

test('the search for an online member of a shared subscription counts as work', () => {
  const world = new World();
  const sessionExpiryInterval = 60;
  for (let i = 0; i < 1000; i++) {
    const member = world.connect(`s${i}`, { properties: { sessionExpiryInterval } });
    member.subscribe('$share/g/t');
    member.lose();
  }
  const publisher = world.connect('p');
  const messages = 500;
  const turns = turnsOf(world, () => publisher.send(publishTo(Array(messages).fill('t'))));
  assert.ok(turns > 2, `${turns} turns`);
});

test('the search through an ACL counts as work', () => {
  const authorizer = {
    ...openAuthorizer,
    permissive: false,
    work: 0,
    mayPublish: () => {
      authorizer.work += 500;
      return true;
    },
  };
  const world = new World({}, { authorizer });
  const publisher = world.connect('p');
  const topics = Array.from({ length: 1000 }, (_, i) => `t/${i}`);
  const turns = turnsOf(world, () => publisher.send(publishTo(topics)));
  assert.ok(turns > 4, `${turns} turns`);
});

test('a denial counts as work', () => {
  const authorizer = { ...openAuthorizer, permissive: false, mayPublish: () => false };
  const world = new World({}, { authorizer });
  const publisher = world.connect('p');
  const topics = Array.from({ length: 1000 }, (_, i) => `t/${i}`);
  const turns = turnsOf(world, () => publisher.send(publishTo(topics)));
  assert.ok(turns > 4, `${turns} turns`);
  assert.equal(world.broker.stats.denied, topics.length);
});

test('what waited for a slow client is sent in several turns, in order', () => {
  const world = new World({ queueBytesMax: 1e9 });
  const subscriber = world.connect('s');
  subscriber.subscribe([{ filter: 't', qos: 0 }]);
  subscriber.congest(true);
  const publisher = world.connect('p');
  const payloads = Array.from({ length: 1000 }, (_, i) => `${i} `.padEnd(4000));
  for (const payload of payloads) publisher.publish('t', payload);
  subscriber.expectNothing();
  const turns = turnsOf(world, () => subscriber.congest(false));
  assert.ok(turns > 1, `${turns} turns`);
  assert.deepEqual(subscriber.payloads(), payloads);
});

test('the messages of a session that ends are dropped in several turns', () => {
  const world = new World({ queueMessagesMax: 50_000, queueBytesMax: 1e9 });
  const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
  const owner = world.connect('kept', session);
  owner.subscribe([{ filter: 't', qos: 1 }]);
  owner.lose();
  const publisher = world.connect('p');
  for (let i = 0; i < 30_000; i++) publisher.publish('t', 'x', { qos: 1 });
  assert.equal(world.broker.queuedMessages, 30_000);
  const turns = turnsOf(world, () => world.connect('kept'));
  assert.ok(turns > 1, `${turns} turns`);
  assert.equal(world.broker.queuedMessages, 0);
});

test('connections that are lost in the same turn end in several turns', () => {
  const world = new World();
  const watcher = world.connect('w');
  watcher.subscribe([{ filter: 'will', qos: 0 }]);
  const will = { topic: 'will', payload: 'gone' };
  const clients = Array.from({ length: 500 }, (_, i) => world.connect(`c${i}`, { will }));
  const turns = turnsOf(world, () => {
    world.beginTurn();
    for (const client of clients) client.lose(false);
  });
  assert.ok(turns > 2, `${turns} turns`);
  assert.equal(watcher.messages().length, 500);
});

test('packets that wait for their turn are handled though their client has left, its DISCONNECT too', () => {
  const world = new World();
  const watcher = world.connect('w');
  watcher.subscribe(['will', 't', 'u']);
  for (let i = 0; i < 500; i++) world.connect(`s${i}`).subscribe(['t', 'u']);
  const client = world.connect('c', { will: { topic: 'will', payload: 'gone' } });
  // Two topics in turn are no run.
  const published = Array.from({ length: 500 }, (_, i) => (i % 2 === 0 ? 't' : 'u'));
  const turns = turnsOf(world, () => {
    world.beginTurn();
    client.send(Buffer.concat([publishTo(published), wire.disconnect()]));
    client.lose(false);
  });
  assert.ok(turns > 2, `${turns} turns`);
  const topics = watcher.messages().map(({ topic }) => topic);
  assert.deepEqual(topics, published, 'no will after a DISCONNECT');
});

test('the search for slow subscribers among very many sessions takes several turns', () => {
  const world = new World();
  const publisher = world.connect('p');
  for (let i = 0; i < SESSIONS; i++) {
    const absent = world.connect(`s${i}`, { properties: { sessionExpiryInterval: 600 } });
    if (i % 1000 === 0) absent.subscribe([{ filter: 'a', qos: 1 }]);
    absent.lose();
  }
  publisher.publish('a', 'x', { qos: 1 });
  const { budget } = world.broker.context;
  world.beginTurn();

  const turns = turnsOf(world, () => {
    assert.deepEqual(world.broker.slowSubscribers(world.now), []);
    assert.ok(budget.spentInTurn < 1.1 * WORK_PER_TURN, `${budget.spentInTurn} units`);
  });
  assert.ok(turns > 1, `${turns} turns`);
  const clients = world.broker.slowSubscribers(world.now).map(({ clientId }) => clientId);
  assert.equal(clients.length, SESSIONS / 1000);
});
