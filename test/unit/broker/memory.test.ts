// -memory-limit, the one account of memory: everything that clients make the node keep counts; a user who holds
// much is refused with the right Reason Code, others are served, and all of it is given back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogFields, silentLogger } from '../../../src/shared/logger.ts';
import { eachVersion, type TestClient, World } from '../../support/mqtt-world.ts';
import { seededRandom } from '../../support/random.ts';
import * as wire from '../../support/wire.ts';

const KEPT = { properties: { sessionExpiryInterval: 60 } };
const MINUTE = 60_000;

interface Line extends LogFields {
  readonly event: string;
}

function loggedWorld(options: ConstructorParameters<typeof World>[0] = {}) {
  const lines: Line[] = [];
  const add = (event: string, fields: LogFields = {}): void => {
    lines.push({ ...fields, event });
  };
  const world = new World(options, { log: { ...silentLogger, warn: add, info: add } });
  return { world, lines, named: (event: string) => lines.filter((line) => line.event === event) };
}

/** Sends packets until one is refused, or all of them. @returns how many were sent */
function until(count: number, isOver: () => boolean, send: (index: number) => void): number {
  for (let i = 0; i < count; i++) {
    if (isOver()) return i;
    send(i);
  }
  return count;
}

eachVersion('sessions and wills: CONNACK 0x97 or 3 once the user has its share of memory', (v) => {
  const { world, named } = loggedWorld({ memoryBytesMax: 2_000_000 });
  const payload = 'x'.repeat(60_000);
  const will = { topic: 'w', payload };
  let refused: wire.Packet | undefined;
  const accepted = until(
    100,
    () => refused !== undefined,
    (i) => {
      const client = world.open(v);
      client.connect({ clientId: `eve${i}`, username: 'eve', clean: false, will, ...KEPT });
      if (client.connack.reason !== 0) refused = client.connack;
    },
  );
  assert.ok(accepted > 20 && accepted < 30, `${accepted} of 33 wills fit the whole bound`);
  assert.equal(refused?.reason, v === 5 ? 0x97 : 3);
  const [line] = named('connection refused');
  assert.match(String(line?.reason), /^-memory-limit \(the user's share\)/);
  world.connect('bob', { version: v, username: 'bob', will });
});

eachVersion('long Client Identifiers, user names and filters count with all their bytes', (v) => {
  const world = new World({ memoryBytesMax: 600_000 });
  const long = 'x'.repeat(60_000);
  const eve = world.connect(`eve${long}`, { version: v, username: long });
  assert.ok(world.broker.context.accounts.bytes > 120_000);
  const granted: number[] = [];
  const filter = 'x'.repeat(4000);
  for (let i = 0; i < 60; i++) granted.push(eve.subscribe([`${i}/${filter}`]).reasons[0]!);
  assert.equal(granted[0], 2);
  assert.equal(granted.at(-1), v === 5 ? 0x97 : 0x80);
  const taken = granted.filter((reason) => reason === 2).length;
  assert.ok(taken > 25 && taken < 40, `${taken} filters that take 9 KB each`);
  const bob = world.connect('bob', { version: v, username: 'bob' });
  assert.deepEqual(bob.subscribe(['t']).reasons, [2]);
});

test('retained topics of many levels count, and PUBACK says 0x97 where no subscriber takes the message', () => {
  const { world, named } = loggedWorld({ memoryBytesMax: 2_000_000 });
  const eve = world.connect('eve', { username: 'eve' });
  const levels = '/x'.repeat(127);
  let refused: wire.Packet | undefined;
  const kept = until(
    2000,
    () => refused !== undefined,
    (i) => {
      const answer = eve.publish(`${i}${levels}`, 'x', { qos: 1, retain: true });
      if ((answer?.reason ?? 0) >= 0x80) refused = answer;
    },
  );
  assert.ok(kept > 1200 && kept < 1800, `${kept} kept`);
  assert.equal(refused?.reason, 0x97);
  assert.match(String(refused?.properties.reasonString), /not retained/);
  assert.ok(world.broker.context.accounts.bytes < 2_000_000);
  assert.match(String(named('retained message not kept: the store is full')[0]?.bound), /-memory/);
  const bob = world.connect('bob', { username: 'bob' });
  assert.equal(bob.publish('b', 'x', { qos: 1, retain: true })?.properties.reasonString, undefined);
});

test('a retained value of a peer finds the bound of memory too', () => {
  const world = new World({ memoryBytesMax: 100_000 });
  const { retained } = world.broker.context;
  const publisher = world.connect('p');
  publisher.publish('mine', 'x', { retain: true });
  const bytes = world.broker.context.accounts.bytes;
  assert.ok(bytes < 20_000, `${bytes}`);
  const message = retained.get('mine')!;
  const refused = Array.from({ length: 300 }, (_, i) => {
    const name = `peer/${i}`;
    const topic = { ...message.topic, name, bytes: Buffer.from(name) };
    return retained.set({ ...message, topic, mark: undefined }, undefined);
  });
  assert.deepEqual([refused[0], refused.at(-1)], [undefined, '-memory-limit']);
});

test('topic aliases and unfinished packets count: DISCONNECT 0x97 for the client, and a line', () => {
  const { world, named } = loggedWorld({ memoryBytesMax: 3_000_000, topicAliasMaximum: 1000 });
  const eve = world.connect('eve', { username: 'eve' });
  until(
    100,
    () => eve.closed,
    (i) => {
      const topic = `${i}/`.padEnd(60_000, 'x');
      const properties = { topicAlias: i + 1 };
      eve.send(wire.publish(5, { topic, properties }));
    },
  );
  eve.expectEnded(0x97);
  const half = wire.publish(5, { topic: 't', payload: Buffer.alloc(900_000) });
  const clients = Array.from({ length: 20 }, (_, i) => world.connect(`e${i}`, { username: 'eve' }));
  for (const client of clients) client.send(half.subarray(0, 300_000));
  const ended = clients.filter(({ closed }) => closed);
  assert.ok(ended.length > 8 && ended.length < 16, `${ended.length} ended`);
  ended[0]?.expectEnded(0x97);
  const what = named('client disconnected: a bound is reached').map((line) => line.what);
  assert.deepEqual(what, ['alias', 'packet']);
  const bob = world.connect('bob', { username: 'bob' });
  bob.send(wire.publish(5, { topic: 't', payload: Buffer.alloc(9000) }).subarray(0, 5000));
  assert.equal(bob.closed, false);
});

test('what a transport keeps of an unfinished message counts, and is given back', () => {
  const { world, named } = loggedWorld({ memoryBytesMax: 3_000_000 });
  const { accounts } = world.broker.context;
  const eve = world.connect('eve', { username: 'eve' });
  const before = accounts.bytes;
  eve.beginMessage(500_000);
  assert.equal(accounts.bytes - before, 500_000);
  eve.send(wire.PINGREQ);
  assert.equal(accounts.bytes - before, 500_000, 'a packet that is complete changes nothing');
  eve.beginMessage(0);
  assert.equal(accounts.bytes, before);
  const others = Array.from({ length: 20 }, (_, i) => world.connect(`e${i}`, { username: 'eve' }));
  for (const other of others) {
    other.beginMessage(400_000);
    if (other.closed) other.expectEnded(0x97);
  }
  assert.ok(accounts.bytes < 3_000_000);
  assert.deepEqual(
    named('client disconnected: a bound is reached').map((line) => line.what),
    ['packet'],
  );
  const bob = world.connect('bob', { username: 'bob' });
  bob.beginMessage(50_000);
  assert.equal(bob.closed, false, 'who holds little finds room');
});

test('one line says that a bound is reached, and one that it is over', () => {
  const { world, named, lines } = loggedWorld({ retainedMessagesMax: 2 });
  const client = world.connect('a', { username: 'ann' });
  for (let i = 0; i < 10; i++) client.publish(`t/${i}`, 'x', { retain: true });
  assert.equal(world.broker.context.bounds.size, 1);
  world.advance(1 * MINUTE);
  client.publish('t/10', 'x', { retain: true });
  world.advance(1 * MINUTE);
  assert.equal(named('a bound is no longer reached').length, 0, 'the last refusal is too recent');
  world.advance(1 * MINUTE);
  const [over] = named('a bound is no longer reached');
  assert.deepEqual(over, {
    event: 'a bound is no longer reached',
    what: 'retained',
    bound: '-retained-messages',
    refused: 9,
    lastedMs: MINUTE,
  });
  assert.equal(world.broker.context.bounds.size, 0);
  client.publish('t/11', 'x', { retain: true });
  assert.equal(lines.at(-1)?.count, 1, 'and when it is reached again there is a line again');
});

test('many users in turn leave room for one more', () => {
  const world = new World({ memoryBytesMax: 20_000_000 });
  for (let user = 0; user < 12; user++) {
    const client = world.connect(`eve${user}`, { username: `eve${user}` });
    until(
      2000,
      () => world.broker.stats.retainedRefused > user,
      (i) => client.publish(`${user}/${i}`, 'x'.repeat(10_000), { retain: true }),
    );
  }
  const bob = world.connect('bob', { username: 'bob' });
  const answer = bob.publish('bob', 'x'.repeat(1000), { qos: 1, retain: true });
  assert.equal(answer?.properties.reasonString, undefined);
  assert.equal(world.connect('late', { username: 'late' }).subscribe('t').reasons[0], 2);
});

test('expired retained messages leave the store at their deadline', () => {
  const world = new World({ retainedMessagesMax: 100 });
  const client = world.connect('a');
  const properties = { messageExpiryInterval: 10 };
  for (let i = 0; i < 60; i++) client.publish(`t/${i}`, 'x', { retain: true, properties });
  client.publish('t/0', 'replaced', { retain: true });
  client.publish('t/1', 'later', { retain: true, properties: { messageExpiryInterval: 20 } });
  client.publish('t/60', 'long', { retain: true, properties: { messageExpiryInterval: 100 } });
  client.publish('t/60', 'sooner', { retain: true, properties });
  world.advance(11_000);
  assert.equal(world.broker.context.retained.count, 2);
  world.advance(10_000);
  assert.equal(world.broker.context.retained.count, 1);
  assert.equal(world.broker.retainedMessage('t/0')?.payload.toString(), 'replaced');
});

test('expired messages leave the queue of an absent client, so that the next ones find room', () => {
  const world = new World({ queueMessagesMax: 10 });
  const client = world.connect('a', KEPT);
  client.subscribe([{ filter: 't', qos: 1 }]);
  client.lose();
  const publisher = world.connect('p');
  const properties = { messageExpiryInterval: 5 };
  const send = (payload: string, fields = {}) =>
    publisher.publish('t', payload, { qos: 1, ...fields })?.reason;
  for (let i = 0; i < 10; i++) assert.equal(send(`old ${i}`, { properties }), 0);
  assert.equal(send('too many'), 0x97, 'no subscriber had room');
  world.advance(7000);
  assert.equal(world.broker.context.queueMemory.deliveries, 0);
  assert.equal(world.broker.stats.publishExpired, 10);
  assert.equal(send('new'), 0);
  assert.deepEqual(world.connect('a', { clean: false }).payloads(), ['new']);
});

test('a session that comes back as another user is charged to that one', () => {
  const world = new World();
  const { accounts } = world.broker.context;
  const client = world.connect('a', { username: 'ann', ...KEPT });
  client.subscribe(['x/y', '+/z']);
  client.lose();
  world.connect('p').publish('x/y', 'x'.repeat(500), { qos: 1 });
  const held = accounts.find('ann', '')!;
  assert.ok(held.bytes > 3000 && held.queueBytes > 500 && held.levels === 4 && held.shapes > 0);
  const back = world.connect('a', { username: 'bob', clean: false, ...KEPT });
  assert.equal(accounts.find('ann', ''), undefined);
  const bob = accounts.find('bob', '')!;
  assert.deepEqual([bob.sessions, bob.levels], [1, 4]);
  back.messages();
  back.lose();
  world.advance(2 * MINUTE);
  assert.equal(accounts.find('bob', ''), undefined);
});

test('nothing stays charged after everything has ended, whatever has happened', () => {
  const random = seededRandom(31);
  const below = (limit: number): number => Math.floor(random() * limit);
  const options = { memoryBytesMax: 150_000, queueMessagesMax: 30, inflightMax: 5 };
  const world = new World({ ...options, topicAliasMaximum: 5 });
  const clients = new Map<string, TestClient>();
  const properties = { sessionExpiryInterval: 60, topicAliasMaximum: 3 };
  const connect = (name: string): void => {
    const client = world.open();
    const will =
      random() < 0.3 ? { topic: `w/${name}`, payload: 'x'.repeat(below(3000)) } : undefined;
    const username = `user${below(3)}`;
    const fields = { clientId: name, username, clean: random() < 0.2, properties };
    client.connect(will === undefined ? fields : { ...fields, will });
    if (client.connack.reason === 0) clients.set(name, client);
  };
  const publish = (client: TestClient): void => {
    const expiry = random() < 0.3 ? { messageExpiryInterval: 1 + below(30) } : {};
    const alias = random() < 0.3 ? { topicAlias: 1 + below(5) } : {};
    const packet = wire.publish(5, {
      topic: `${'t/'.repeat(1 + below(4))}${below(20)}`,
      payload: 'x'.repeat(below(2000)),
      qos: below(3),
      retain: random() < 0.4,
      id: client.newId(),
      properties: { ...expiry, ...alias },
    });
    client.send(random() < 0.1 ? packet.subarray(0, 20) : packet);
  };
  const actions: ((client: TestClient) => void)[] = [
    publish,
    publish,
    (client) => client.send(wire.subscribe(5, client.newId(), [`t/${'+/'.repeat(below(3))}#`])),
    (client) => client.send(wire.unsubscribe(5, client.newId(), ['t/#', 't/+/#'])),
    (client) => client.congest(random() < 0.5),
    (client) => {
      for (const { type, qos, id } of client.inbox.splice(0)) {
        if (type !== 'publish' || qos === 0) continue;
        const answers = qos === 1 ? (['puback'] as const) : (['pubrec', 'pubcomp'] as const);
        for (const answer of answers) client.send(wire.ack(answer, id));
      }
    },
  ];
  for (let step = 0; step < 6000; step++) {
    const name = `c${below(12)}`;
    const client = clients.get(name);
    if (client === undefined || client.closed) connect(name);
    else if (random() < 0.05) {
      client.lose();
      clients.delete(name);
    } else {
      actions[below(actions.length)]!(client);
    }
    world.advance(below(200));
    assert.ok(world.broker.context.accounts.bytes < 200_000);
  }
  assert.ok(world.broker.stats.retainedRefused > 0 && world.broker.stats.publishDropped > 0);
  for (const client of clients.values()) client.lose();
  world.advance(3 * MINUTE);
  const { retained, accounts } = world.broker.context;
  for (const message of [...retained.all()]) retained.remove(message.topic.name);
  assert.equal(world.broker.sessionCount, 0);
  assert.deepEqual([accounts.bytes, accounts.size, retained.bytes], [0, 0, 0]);
});
