// Shared subscriptions (MQTT 5.0 4.8.2), which clients of 3.1.1 may use as well.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const PERSISTENT = { sessionExpiryInterval: 3600 };

function members(world: World, count: number, qos = 1): TestClient[] {
  return Array.from({ length: count }, (_, i) => {
    const client = world.connect(`m${i}`, { clean: false, properties: PERSISTENT });
    client.subscribe([{ filter: '$share/g/t', qos }]);
    return client;
  });
}

function publishMany(world: World, count: number, qos = 1): string[] {
  const pub = world.connect('pub');
  const sent = Array.from({ length: count }, (_, i) => `${i}`);
  for (const payload of sent) pub.publish('t', payload, { qos });
  pub.leave();
  return sent;
}

const byNumber = (a: string, b: string): number => Number(a) - Number(b);

eachVersion('each message goes to one member of a group, in turn', (version) => {
  const world = new World();
  const clients = [1, 2, 3].map((i) => {
    const client = world.connect(`m${i}`, { version });
    client.subscribe(['$share/g/t']);
    return client;
  });
  const plain = world.connect('plain', { version });
  plain.subscribe(['t']);
  const sent = publishMany(world, 30);
  const got = clients.map((client) => client.payloads());
  assert.deepEqual(got.flat().sort(byNumber), sent);
  for (const share of got) assert.equal(share.length, 10);
  assert.deepEqual(plain.payloads(), sent);
});

test('groups with different names each get a copy', () => {
  const world = new World();
  const one = world.connect('a');
  one.subscribe(['$share/g/t']);
  const two = world.connect('b');
  two.subscribe(['$share/h/t', '$share/g/+']);
  publishMany(world, 1);
  assert.equal(one.payloads().length + two.payloads().length, 3);
});

eachVersion('[MQTT5-4.8.2-1] [MQTT5-4.8.2-2] malformed shared filters are refused', (version) => {
  const world = new World();
  for (const filter of [
    '$share/g',
    '$share/g/',
    '$share//t',
    '$share/g+/t',
    '$share/#/t',
    '$share/+/t',
    '$share/g/t/#/x',
    '$share/',
  ]) {
    const client = world.connect('a', { version });
    client.send(wire.subscribe(version, 1, ['good', filter]));
    const isFilterOf3 = version === 4 && !filter.includes('#/x') && !/[+#]\/t/.test(filter);
    if (version === 5) client.expectEnded(0x82);
    else if (isFilterOf3) assert.deepEqual(client.expect('suback').reasons, [2, 0x80]);
  }
  const client = world.connect('b', { version });
  assert.deepEqual(client.subscribe(['$share/g/#', '$share/g//t']).reasons, [2, 2]);
});

test('[MQTT5-3.8.3-4] No Local on a shared subscription is a protocol error', () => {
  const client = new World().connect('a');
  client.send(wire.subscribe(5, 1, [{ filter: '$share/g/t', qos: 1, noLocal: true }]));
  client.expectEnded(0x82);
});

test('[MQTT5-4.8.2-3] each member gets messages at its granted QoS', () => {
  const world = new World();
  const clients = [0, 1, 2].map((qos) => {
    const client = world.connect(`m${qos}`);
    assert.deepEqual(client.subscribe([{ filter: '$share/g/t', qos }]).reasons, [qos]);
    return client;
  });
  publishMany(world, 9, 2);
  for (const [qos, client] of clients.entries()) {
    const got = client.messages();
    assert.equal(got.length, 3);
    assert.ok(got.every((message) => message.qos === qos));
  }
});

test('a shared subscription gets no retained messages', () => {
  const world = new World();
  world.connect('p').publish('t', 'x', { retain: true });
  const client = world.connect('a');
  client.subscribe([{ filter: '$share/g/t', qos: 1, retainHandling: 0 }]);
  client.expectNothing();
});

test('a publisher may be a member of the group', () => {
  const client = new World().connect('a');
  client.subscribe(['$share/g/t']);
  client.publish('t', 'x');
  assert.deepEqual(client.payloads(), ['x']);
});

test('a client with a shared and an ordinary subscription gets both copies, with their identifiers', () => {
  const world = new World();
  const client = world.connect('a');
  client.subscribe(['$share/g/t'], { subscriptionIdentifier: 1 });
  client.subscribe(['t'], { subscriptionIdentifier: 2 });
  publishMany(world, 1);
  const ids = client.messages().map((message) => message.properties.subscriptionIdentifier);
  assert.deepEqual(ids.toSorted(), [[1], [2]]);
});

test('absent members get nothing while another member is connected', () => {
  const world = new World();
  const [one, two] = members(world, 2) as [TestClient, TestClient];
  one.lose();
  const sent = publishMany(world, 6);
  assert.deepEqual(two.payloads(), sent);
});

test('a member with a full window is skipped while another has room', () => {
  const world = new World();
  const slow = world.connect('slow', { properties: { receiveMaximum: 1 } });
  const fast = world.connect('fast');
  for (const client of [slow, fast]) client.subscribe(['$share/g/t']);
  const sent = publishMany(world, 20);
  assert.equal(slow.inbox.length, 1);
  assert.equal(fast.payloads().length, sent.length - 1);
});

test('messages wait for a member if all are absent', () => {
  const world = new World();
  for (const client of members(world, 2)) client.lose();
  const sent = publishMany(world, 6);
  const got = ['m0', 'm1'].flatMap((name) =>
    world.connect(name, { clean: false, properties: PERSISTENT }).payloads(),
  );
  assert.deepEqual(got.toSorted(byNumber), sent);
});

test('QoS 1 messages that a member did not acknowledge survive its disconnect', () => {
  const world = new World();
  const [one, two] = members(world, 2) as [TestClient, TestClient];
  const sent = publishMany(world, 8);
  assert.equal(one.inbox.length, 4);
  one.lose();
  const got = new Set(two.payloads());
  const back = world.connect('m0', { clean: false, properties: PERSISTENT });
  for (const payload of back.payloads()) got.add(payload);
  assert.deepEqual([...got].sort(byNumber), sent);
});

test('QoS 1 messages of a member whose session ended go to another member', () => {
  const world = new World();
  const [one, two] = members(world, 2) as [TestClient, TestClient];
  const sent = publishMany(world, 8);
  one.leave(0x00, { sessionExpiryInterval: 0 });
  assert.deepEqual(two.payloads().sort(byNumber), sent);
});

test('[MQTT5-4.8.2-3] a message that another member takes over has its QoS and RETAIN', () => {
  const world = new World();
  const [first] = members(world, 1) as [TestClient];
  const second = world.connect('second');
  second.subscribe([{ filter: '$share/g/t', qos: 0, retainAsPublished: true }]);
  const third = world.connect('third');
  third.subscribe([{ filter: '$share/g/t', qos: 2 }]);
  const pub = world.connect('pub');
  for (let i = 0; i < 12; i++) pub.publish('t', `${i}`, { qos: 1, retain: true });
  for (const other of [second, third]) other.messages();
  first.leave(0, { sessionExpiryInterval: 1 });
  world.advance(2000);
  const seen = (member: TestClient): string[] =>
    member.messages().map(({ qos, retain, dup }) => `QoS ${qos}, ${retain}, ${dup}`);
  assert.deepEqual(seen(second), ['QoS 0, true, false', 'QoS 0, true, false']);
  assert.deepEqual(seen(third), ['QoS 1, false, false', 'QoS 1, false, false']);
});

test('[MQTT5-3.3.2-5] a message that has expired does not go to another member', () => {
  const world = new World();
  const [first, second] = members(world, 2) as [TestClient, TestClient];
  const properties = { messageExpiryInterval: 5 };
  for (const payload of ['to first', 'to second']) {
    world.connect(payload).publish('t', payload, { qos: 1, properties });
  }
  assert.deepEqual(second.payloads(), ['to second']);
  first.leave(0, { sessionExpiryInterval: 10 });
  world.advance(11_000);
  second.expectNothing();
  assert.equal(world.broker.stats.publishExpired, 1);
});

test('of absent members one whose session queues the message gets it', () => {
  const world = new World();
  const [zero] = members(world, 1, 0) as [TestClient];
  const one = world.connect('one', { clean: false, properties: PERSISTENT });
  one.subscribe([{ filter: '$share/g/t', qos: 1 }]);
  for (const member of [zero, one]) member.lose();
  const sent = publishMany(world, 4);
  const back = world.connect('one', { clean: false, properties: PERSISTENT });
  assert.deepEqual(back.payloads(), sent);
});

test('QoS 1 messages of a member whose session ended wait for an absent member', () => {
  const world = new World();
  const [one, two] = members(world, 2) as [TestClient, TestClient];
  two.lose();
  const sent = publishMany(world, 4);
  one.leave(0x00, { sessionExpiryInterval: 0 });
  const back = world.connect('m1', { clean: false, properties: PERSISTENT });
  assert.deepEqual(back.payloads().sort(byNumber), sent);
});

test('QoS 1 messages queued before a member unsubscribed reach it or another member', () => {
  const world = new World();
  const [one, two] = members(world, 2) as [TestClient, TestClient];
  const sent = publishMany(world, 4);
  const waiting = one.messages().map((message) => message.payload);
  one.unsubscribe('$share/g/t');
  const more = publishMany(world, 4);
  assert.deepEqual(
    [...waiting, ...two.payloads()].sort(byNumber),
    [...sent, ...more].sort(byNumber),
  );
  one.expectNothing();
});

test('[MQTT5-4.8.2-4] a QoS 2 delivery that began completes with its own member', () => {
  const world = new World();
  const [one, two] = members(world, 2, 2) as [TestClient, TestClient];
  publishMany(world, 2, 2);
  const begun = one.expect('publish');
  one.lose();
  assert.equal(two.payloads().length, 1);
  const back = world.connect('m0', { clean: false, properties: PERSISTENT });
  const again = back.expect('publish');
  assert.deepEqual([again.id, again.payload, again.dup], [begun.id, begun.payload, true]);
  back.send(wire.ack('pubrec', again.id));
  back.lose();
  two.expectNothing();
  const last = world.connect('m0', { clean: false, properties: PERSISTENT });
  assert.equal(last.expect('pubrel').id, begun.id);
});

test("[MQTT5-4.8.2-5] a QoS 2 message in flight is not redirected when its member's session ends", () => {
  const world = new World();
  const [one, two] = members(world, 2, 2) as [TestClient, TestClient];
  publishMany(world, 2, 2);
  one.expect('publish');
  one.leave(0x00, { sessionExpiryInterval: 0 });
  assert.equal(two.payloads().length, 1);
  two.expectNothing();
});

test('[MQTT5-4.8.2-6] a message that a member rejects is not redirected', () => {
  const world = new World();
  const [one, two] = members(world, 2, 2) as [TestClient, TestClient];
  publishMany(world, 2, 1);
  one.send(wire.ack('puback', one.expect('publish').id, 0x80));
  assert.equal(two.payloads().length, 1);
  publishMany(world, 2, 2);
  one.send(wire.ack('pubrec', one.expect('publish').id, 0x80));
  assert.equal(two.payloads().length, 1);
  one.leave(0x00, { sessionExpiryInterval: 0 });
  two.expectNothing();
});

eachVersion('shared subscriptions are refused if they are not available', (version) => {
  const client = new World({ sharedAvailable: false }).connect('a', { version });
  if (version === 5) assert.equal(client.connack.properties.sharedSubscriptionAvailable, 0);
  client.send(wire.subscribe(version, 1, ['$share/g/t']));
  assert.deepEqual(client.expect('suback').reasons, [version === 5 ? 0x9e : 0x80]);
});
