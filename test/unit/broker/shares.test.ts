// The bounds that all clients share: what one client or one user may take of them, and that a
// refusal has a reason code, a counter and a log line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAuthorizer } from '../../../src/broker/ports.ts';
import {
  CLIENT_GROUPS_MAX,
  CLIENT_SHAPES_MAX,
  GROUPS_MAX,
  SHAPES_MAX,
} from '../../../src/broker/routing/filter-shapes.ts';
import { CLIENT_NODES_MAX, NODES_MAX } from '../../../src/broker/routing/subscription-tree.ts';
import { type LogFields, silentLogger } from '../../../src/shared/logger.ts';
import { type TestClient, World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

const KEPT = { properties: { sessionExpiryInterval: 60 } };

interface Line extends LogFields {
  readonly event: string;
}

function loggedWorld(
  options: ConstructorParameters<typeof World>[0] = {},
  authorizer = openAuthorizer,
) {
  const lines: Line[] = [];
  const warn = (event: string, fields: LogFields = {}): void => {
    lines.push({ ...fields, event });
  };
  return { lines, world: new World(options, { log: { ...silentLogger, warn }, authorizer }) };
}

/** Reasons of a SUBSCRIBE that may take several turns. */
function subscribeAll(world: World, client: TestClient, filters: string[]): number[] {
  client.send(wire.subscribe(5, 1, filters));
  for (let turn = 0; turn < 1000 && client.inbox.length === 0; turn++) {
    world.broker.runDeferred(world.now);
  }
  return client.expect('suback').reasons;
}

const granted = (reasons: number[]): number => reasons.filter((reason) => reason <= 2).length;
const groups = (from: string, count: number, filter = 'x'): string[] =>
  Array.from({ length: count }, (_, i) => `$share/${from}${i}/${filter}`);

/** Filters of which each adds one shape to those of the filters before it. */
function shapes(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const [before, after] = [(from + i) % 60, Math.floor((from + i) / 120)];
    const wildcard = (from + i) % 120 < 60 ? '+' : '+/+';
    return `${'a/'.repeat(before)}${wildcard}${'/a'.repeat(after)}`;
  });
}

for (const [what, filters, max] of [
  ['shapes of filters', (count: number) => shapes(0, count), CLIENT_SHAPES_MAX],
  ['shared groups', (count: number) => groups('g', count), CLIENT_GROUPS_MAX],
] as const) {
  test(`a client has a share of the ${what}, and others subscribe as before`, () => {
    const { world, lines } = loggedWorld();
    const greedy = world.connect('greedy', { username: 'eve' });
    const reasons = subscribeAll(world, greedy, filters(5000));
    assert.equal(granted(reasons), max);
    assert.equal(reasons.at(-1), 0x97);
    assert.equal(world.broker.stats.subscriptionsRefused, 5000 - max);
    assert.deepEqual(lines, [
      {
        event: 'subscribe refused: a bound is reached',
        client: 'greedy',
        user: 'eve',
        topic: filters(max + 1).at(-1),
        bound: `${max} ${what} of one client`,
        count: 1,
      },
    ]);
    const other = world.connect('other', { username: 'bob' });
    assert.deepEqual(other.subscribe(['x/y', '+/y', '#', '$share/new/x']).reasons, [2, 2, 2, 2]);
  });

  test(`a client gets its share of the ${what} back when it unsubscribes or its session ends`, () => {
    const world = new World();
    const all = filters(max + 1);
    const further = all.pop()!;
    const first = world.connect('a');
    assert.equal(granted(subscribeAll(world, first, all)), max);
    assert.deepEqual(first.subscribe(further).reasons, [0x97]);
    first.unsubscribe(all.at(-1)!);
    assert.deepEqual(first.subscribe(further).reasons, [2]);
    first.lose();
    while (world.broker.context.tree.size > 0) world.broker.runDeferred(world.now);
    assert.equal(world.broker.context.tree.shapes, 0);
    assert.equal(granted(subscribeAll(world, world.connect('a'), all)), max);
  });
}

test('many clients of one user leave shapes to others, and plain filters never need one', () => {
  const world = new World();
  let taken = 0;
  for (let i = 0; i < SHAPES_MAX / CLIENT_SHAPES_MAX; i++) {
    const client = world.connect(`eve${i}`, { username: 'eve' });
    taken += granted(subscribeAll(world, client, shapes(taken, CLIENT_SHAPES_MAX)));
  }
  assert.ok(taken > SHAPES_MAX / 2 && taken <= (SHAPES_MAX / 4) * 3 + 1, `${taken} taken`);
  const bob = world.connect('bob', { username: 'bob' });
  assert.equal(granted(subscribeAll(world, bob, shapes(taken, 100))), 100);
  const eve = world.connect('eve', { username: 'eve' });
  assert.deepEqual(eve.subscribe(['a/b/c', shapes(taken + 100, 1)[0]!]).reasons, [2, 0x97]);
});

test('many clients of one address have a share of the shared groups that a message has to serve', () => {
  const { world, lines } = loggedWorld();
  world.remoteAddress = '192.0.2.1';
  const greedy = Array.from({ length: 30 }, (_, i) => world.connect(`greedy${i}`));
  const asked = greedy.map((client, i) => subscribeAll(world, client, groups(`${i}-`, 250, '#')));
  const taken = granted(asked.flat());
  assert.ok(taken > GROUPS_MAX / 2 && taken <= (GROUPS_MAX / 4) * 3 + 1, `${taken} taken`);
  assert.deepEqual(lines.map(({ bound }) => bound).toSorted(), [
    `${CLIENT_GROUPS_MAX} shared groups of one client`,
    "the user's share of the shared groups",
  ]);
  assert.deepEqual(greedy[0]!.subscribe('a/+/b').reasons, [2], 'other filters are not refused');

  world.remoteAddress = '192.0.2.2';
  const innocent = world.connect('innocent');
  assert.deepEqual(innocent.subscribe('$share/workers/jobs/+').reasons, [2]);
  innocent.publish('jobs/1', 'x');
  assert.deepEqual(innocent.payloads(), ['x']);
  const copies = greedy.reduce((sum, client) => sum + client.messages().length, 0);
  assert.equal(copies, taken);
});

test('a node with all its shared groups grants further members of these, and no further group', () => {
  const world = new World();
  for (let i = 0; i < 40; i++) {
    const client = world.connect(`c${i}`, { username: `user${i}` });
    subscribeAll(world, client, groups(`${i}-`, CLIENT_GROUPS_MAX));
  }
  const late = world.connect('late', { username: 'late' });
  assert.deepEqual(late.subscribe(['$share/new/x', '$share/0-0/x', '#']).reasons, [0x97, 2, 2]);
});

test('topic levels: a client has a share, and a user with many leaves the rest to others', () => {
  const { world, lines } = loggedWorld();
  const client = world.connect('a', { username: 'ann' });
  client.subscribe('a/b/c');
  const { account } = world.broker.context.sessions.all()[Symbol.iterator]().next().value!.outbound;
  assert.deepEqual([account.levels, account.user.levels], [3, 3]);
  account.levels = CLIENT_NODES_MAX - 1;
  assert.deepEqual(client.subscribe(['q', 'r/s']).reasons, [2, 0x97]);
  account.levels = 4;
  Object.defineProperty(world.broker.context.tree, 'nodes', { get: () => NODES_MAX * 0.8 });
  account.user.levels = NODES_MAX * 0.5;
  assert.deepEqual(client.subscribe('t').reasons, [0x97]);
  assert.deepEqual(world.connect('b', { username: 'bob' }).subscribe('t').reasons, [2]);
  assert.deepEqual(
    lines.map(({ bound }) => bound),
    [`${CLIENT_NODES_MAX} topic levels of one client`, "the user's share of the topic levels"],
  );
});

test('a node whose tree is full grants no further filter', () => {
  const world = new World();
  const client = world.connect('a');
  Object.defineProperty(world.broker.context.tree, 'nodes', { get: () => NODES_MAX });
  assert.deepEqual(client.subscribe('q').reasons, [0x97]);
});

test('a user with many absent sessions leaves the last quarter of -max-sessions to others', () => {
  const { world, lines } = loggedWorld({ sessionsMax: 100 });
  let accepted = 0;
  for (let i = 0; i < 100; i++) {
    const client = world.open();
    client.connect({ clientId: `eve${i}`, username: 'eve', ...KEPT });
    if (client.connack.reason === 0) accepted += 1;
    else assert.equal(client.connack.reason, 0x97);
    client.lose();
  }
  assert.equal(accepted, 76);
  assert.match(String(lines[0]?.reason), /^-max-sessions \(the user's share\)/);
  world.connect('eve0', { username: 'eve', clean: false, ...KEPT }).lose();
  const short = world.open();
  short.connect({ clientId: 'short', username: 'eve' });
  assert.equal(short.connack.reason, 0x97, 'nor does a session without expiry take the rest');
  for (let i = 0; i < 24; i++) world.connect(`bob${i}`, { username: 'bob', ...KEPT });
  const last = world.open();
  last.connect({ clientId: 'last', username: 'bob' });
  assert.equal(last.connack.reason, 0x97);
  assert.match(String(lines.at(-1)?.reason), /^-max-sessions is reached/);
});

test('a user with much in queues leaves the last quarter of -queue-memory to others', () => {
  const { world, lines } = loggedWorld({ queueMemoryBytesMax: 100_000 });
  const waiting = (name: string, username: string): void => {
    const client = world.connect(name, { username, ...KEPT });
    client.subscribe(`own/${name}`);
    client.lose();
  };
  for (let i = 0; i < 100; i++) waiting(`eve${i}`, 'eve');
  waiting('bob', 'bob');
  const publisher = world.connect('p');
  for (let i = 0; i < 100; i++) publisher.publish(`own/eve${i}`, 'x'.repeat(1000), { qos: 1 });
  const { queueMemory, stats } = world.broker.context;
  assert.ok(queueMemory.bytes > 70_000 && queueMemory.bytes < 80_000, `${queueMemory.bytes}`);
  assert.ok(stats.publishDropped > 0);
  assert.match(String(lines[0]?.bound), /-queue-memory/);
  publisher.publish('own/bob', 'for bob', { qos: 1 });
  const bob = world.connect('bob', { username: 'bob', clean: false });
  assert.deepEqual(bob.payloads(), ['for bob']);
});

test('messages that a full queue drops are logged with the client and the bound', () => {
  const { world, lines } = loggedWorld({ queueMessagesMax: 2 });
  const client = world.connect('a', { username: 'ann', ...KEPT });
  client.subscribe('t');
  client.lose();
  const publisher = world.connect('p');
  for (let i = 0; i < 10; i++) publisher.publish('t', `${i}`, { qos: 1 });
  assert.equal(world.broker.stats.publishDropped, 8);
  const event = 'messages dropped: a queue is full';
  const bound = '-max-queued-messages';
  assert.deepEqual(lines, [{ event, client: 'a', user: 'ann', bound, drops: 'newest', count: 1 }]);
});

test('a user with many retained messages leaves the last quarter of the store to others', () => {
  const { world, lines } = loggedWorld({ retainedMessagesMax: 100 });
  const eve = world.connect('eve', { username: 'eve' });
  const refused: number[] = [];
  for (let i = 0; i < 100; i++) {
    const answer = eve.publish(`eve/${i}`, 'x', { qos: 1, retain: true });
    if (answer?.properties.reasonString !== undefined) refused.push(i);
  }
  assert.deepEqual([refused[0], refused.length], [76, 24]);
  assert.equal(world.broker.stats.retainedRefused, 24);
  assert.equal(lines[0]?.bound, "-retained-messages (the user's share)");
  const bob = world.connect('bob', { username: 'bob' });
  const answer = bob.publish('bob/0', 'x', { qos: 1, retain: true });
  assert.equal(answer?.properties.reasonString, undefined);
  const replaced = eve.publish('eve/0', 'new', { qos: 1, retain: true });
  assert.equal(replaced?.properties.reasonString, undefined, 'an update needs no room');
  for (let i = 0; i < 20; i++) eve.publish(`eve/${i}`, '', { retain: true });
  const again = eve.publish('eve/late', 'x', { qos: 1, retain: true });
  assert.equal(again?.properties.reasonString, undefined);
});

/** A node that checks passwords and lets clients without a user name in. */
function mixedWorld(options: ConstructorParameters<typeof World>[0]) {
  return loggedWorld(options, { ...openAuthorizer, provesUsers: true });
}

/** Each from an address of its own. @returns the reasons of CONNACK */
function connectStrangers(world: World, count: number, isKept: boolean): number[] {
  return Array.from({ length: count }, (_, i) => {
    world.remoteAddress = `127.66.${i >> 8}.${i & 255}`;
    const client = world.open();
    client.connect({ clientId: `stranger${i}`, ...(isKept && KEPT) });
    const { reason } = client.connack;
    if (isKept && reason === 0) client.lose();
    return reason;
  });
}

test('absent sessions from very many addresses leave a quarter of -max-sessions to users', () => {
  const { world, lines } = mixedWorld({ sessionsMax: 100 });
  const accepted = connectStrangers(world, 200, true).filter((reason) => reason === 0);
  assert.equal(accepted.length, 76);
  const share = '(the share of clients without a user name)';
  assert.equal(lines[0]?.reason, `-max-sessions ${share} is reached`);
  assert.equal(world.broker.stats.connectionsRefused, 124);
  for (let i = 0; i < 24; i++) world.connect(`u${i}`, { username: `u${i}`, ...KEPT }).lose();
});

test('connections from very many addresses leave a quarter of -max-connections to users', () => {
  const { world, lines } = mixedWorld({ connectionsMax: 100 });
  const accepted = connectStrangers(world, 200, false).filter((reason) => reason === 0);
  assert.equal(accepted.length, 76);
  assert.match(String(lines[0]?.reason), /^-max-connections \(the share of clients without/);
  for (let i = 0; i < 24; i++) world.connect(`bob${i}`, { username: 'bob' });
});

test('sessions from very many addresses leave a quarter of -memory-limit to users', () => {
  const memoryBytesMax = 1_000_000;
  const { world, lines } = mixedWorld({ memoryBytesMax });
  const reasons = connectStrangers(world, 1000, true);
  assert.equal(reasons.at(-1), 0x97);
  const { accounts } = world.broker.context;
  assert.ok(accounts.bytes < memoryBytesMax * 0.8, `${accounts.bytes} of ${memoryBytesMax}`);
  assert.match(String(lines[0]?.reason), /^-memory-limit \(the share of clients without/);
  const bob = world.connect('bob', { username: 'bob', ...KEPT });
  assert.deepEqual(bob.subscribe('a/b').reasons, [2]);
});

test('a session that a user takes over no longer counts as one without a user name', () => {
  const { world } = mixedWorld({});
  const { nameless } = world.broker.context.accounts;
  connectStrangers(world, 2, true);
  world.connect('stranger0', { username: 'bob', clean: false, ...KEPT }).lose();
  assert.deepEqual([nameless.sessions, nameless.absentSessions], [1, 1]);
  world.connect('stranger1');
  assert.deepEqual([nameless.sessions, nameless.absentSessions], [1, 0]);
  world.broker.context.sessions.find('stranger1')?.connection?.disconnect(0x98, 'test', false);
  assert.deepEqual([nameless.sessions, nameless.absentSessions, nameless.bytes], [0, 0, 0]);
});

test('where a user name proves nothing, clients without one fill -max-sessions', () => {
  const { world, lines } = loggedWorld({ sessionsMax: 100 });
  const accepted = connectStrangers(world, 200, true).filter((reason) => reason === 0);
  assert.equal(accepted.length, 100);
  assert.equal(lines[0]?.reason, '-max-sessions is reached');
});

test('retained messages, shapes and queues of very many addresses leave a quarter to users', () => {
  const bounds = { retainedMessagesMax: 100, queueMemoryBytesMax: 100_000 };
  const { world, lines } = mixedWorld(bounds);
  const { accounts, tree, queueMemory, retained } = world.broker.context;
  for (let i = 0; i < 120; i++) {
    world.remoteAddress = `127.66.0.${i}`;
    const client = world.connect(`stranger${i}`, KEPT);
    client.subscribe([`own/${i}`, `$share/g${i}/x`]);
    client.publish(`r/${i}`, 'x', { qos: 1, retain: true });
    client.lose();
  }
  assert.equal(retained.count, 76);
  assert.equal(accounts.nameless.shapes, tree.shapes);
  assert.equal(accounts.nameless.retainedMessages, 76);
  const bob = world.connect('bob', { username: 'bob', ...KEPT });
  bob.subscribe('own/bob');
  bob.lose();
  const publisher = world.connect('p', { username: 'ann' });
  for (let i = 0; i < 120; i++) publisher.publish(`own/${i}`, 'x'.repeat(1000), { qos: 1 });
  assert.ok(queueMemory.bytes < 80_000, `${queueMemory.bytes}`);
  publisher.publish('own/bob', 'for bob', { qos: 1, retain: true });
  assert.equal(retained.count, 77);
  assert.deepEqual(
    [...new Set(lines.map(({ bound }) => bound))],
    [
      '-retained-messages (the share of clients without a user name)',
      '-queue-memory (the share of clients without a user name)',
    ],
  );
  Object.defineProperty(tree, 'nodes', { get: () => NODES_MAX * 0.8 });
  accounts.nameless.levels = NODES_MAX * 0.5;
  assert.deepEqual(world.connect('late').subscribe('t').reasons, [0x97]);
  assert.deepEqual(publisher.subscribe('t').reasons, [2]);
  for (const { clientId } of [...world.broker.context.sessions.all()]) {
    const session = world.broker.context.sessions.find(clientId)!;
    if (!session.online) world.broker.context.sessions.remove(session);
  }
  assert.equal(accounts.nameless.queueBytes, 0);
});
