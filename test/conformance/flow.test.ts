// Flow control: Receive Maximum in both directions, the queue behind a full window and its bounds
// (MQTT 5.0 3.3.4, 4.9).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ListenerRates } from '../../src/broker/rate-limits.ts';
import { eachVersion, type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

function publishMany(world: World, topic: string, count: number, qos = 1): string[] {
  const pub = world.connect('pub');
  const sent = Array.from({ length: count }, (_, i) => `${i}`);
  for (const payload of sent) pub.publish(topic, payload, { qos });
  pub.leave();
  return sent;
}

function subscriber(world: World, receiveMaximum: number): TestClient {
  const properties = { receiveMaximum, sessionExpiryInterval: 60 };
  const client = world.connect('sub', { properties });
  client.subscribe(['t']);
  return client;
}

test("[MQTT5-3.3.4-9] [MQTT5-4.9.0-1] [MQTT5-4.9.0-2] the broker sends no more QoS 1 messages at a time than the client's Receive Maximum, and the rest follows in order", () => {
  const world = new World();
  const sub = subscriber(world, 3);
  const sent = publishMany(world, 't', 10);
  const got: string[] = [];
  while (sub.inbox.length > 0) {
    assert.ok(sub.inbox.length <= 3);
    if (got.length < 7) assert.equal(sub.inbox.length, 3);
    const next = sub.expect('publish');
    got.push(next.payload);
    sub.send(wire.ack('puback', next.id));
  }
  assert.deepEqual(got, sent);
});

test('[MQTT5-3.3.4-9] a QoS 2 message counts until PUBCOMP, or a PUBREC with an error', () => {
  const world = new World();
  const sub = subscriber(world, 1);
  publishMany(world, 't', 3, 2);
  const first = sub.expect('publish');
  sub.send(wire.ack('pubrec', first.id));
  sub.expect('pubrel');
  sub.expectNothing();
  sub.send(wire.ack('pubcomp', first.id));
  const second = sub.expect('publish');
  sub.expectNothing();
  sub.send(wire.ack('pubrec', second.id, 0x83));
  assert.equal(sub.expect('publish').payload, '2');
});

test('[MQTT5-3.3.4-10] [MQTT5-4.9.0-3] a full window delays neither QoS 0 messages nor other packets', () => {
  const world = new World();
  const sub = subscriber(world, 1);
  publishMany(world, 't', 2);
  sub.expect('publish');
  world.connect('other').publish('t', 'zero');
  const zero = sub.expect('publish');
  assert.deepEqual([zero.qos, zero.payload], [0, 'zero']);
  sub.send(wire.PINGREQ);
  sub.expect('pingresp');
  sub.subscribe(['u']);
  sub.publish('v', 'x', { qos: 1 });
  sub.publish('v', 'x', { qos: 2 });
  sub.unsubscribe('u');
  sub.expectNothing();
});

test('a resumed session observes the Receive Maximum of the new connection', () => {
  const world = new World();
  const first = subscriber(world, 10);
  const sent = publishMany(world, 't', 8);
  assert.equal(first.inbox.length, 8);
  first.lose();
  const second = world.connect('sub', {
    clean: false,
    properties: { receiveMaximum: 2, sessionExpiryInterval: 60 },
  });
  assert.equal(second.inbox.length, 2);
  assert.deepEqual(second.payloads(), sent);
});

test('an acknowledgement of a message that was not resent yet does not widen the window', () => {
  const world = new World();
  const first = subscriber(world, 10);
  publishMany(world, 't', 8);
  const ids = first.inbox.map(({ id }) => id);
  first.lose();
  const properties = { receiveMaximum: 2, sessionExpiryInterval: 60 };
  const second = world.connect('sub', { clean: false, properties });
  // The third and fourth arrived on the first connection; their PUBACKs come only now.
  second.send(wire.ack('puback', ids[2]!), wire.ack('puback', ids[3]!));
  assert.deepEqual(
    second.inbox.map(({ id }) => id),
    ids.slice(0, 2),
  );
  // The test's client fails on a third message without acknowledgement.
  assert.deepEqual(second.payloads(), ['0', '1', '4', '5', '6', '7']);
});

test('resent messages come before newer ones, however small the window', () => {
  const world = new World();
  const first = subscriber(world, 10);
  publishMany(world, 't', 3);
  first.lose();
  const properties = { receiveMaximum: 1, sessionExpiryInterval: 60 };
  const second = world.connect('sub', { clean: false, properties });
  world.connect('p').publish('t', 'newer', { qos: 1 });
  assert.deepEqual(second.payloads(), ['0', '1', '2', 'newer']);
});

eachVersion('messages wait in order for a client that reads slowly', (version) => {
  const world = new World();
  const sub = world.connect('sub', { version });
  sub.subscribe(['t']);
  const pub = world.connect('pub');
  sub.congest(true);
  for (const qos of [0, 1, 2, 0]) pub.publish('t', `${qos}`, { qos });
  sub.expectNothing();
  sub.congest(false);
  assert.deepEqual(sub.payloads(), ['0', '1', '2', '0']);
});

test('[MQTT5-4.6.0-5] a message does not overtake those that wait for the next turn', () => {
  const world = new World({ queueMessagesMax: 10_000 });
  const sub = world.connect('sub');
  sub.subscribe('t');
  const pub = world.connect('pub');
  sub.congest(true);
  for (let i = 0; i < 6000; i++) pub.publish('t', `${i}`);
  sub.congest(false);
  assert.ok(sub.inbox.length < 6000, 'one turn is not enough');
  pub.publish('t', 'newer');
  pub.send(Buffer.concat(Array(9).fill(wire.publish(5, { topic: 't', payload: 'newest' }))));
  for (let turn = 0; turn < 10; turn++) world.broker.runDeferred(world.now);
  const payloads = sub.payloads();
  assert.deepEqual(payloads.slice(5998, 6002), ['5998', '5999', 'newer', 'newest']);
  assert.equal(payloads.length, 6010);
});

test('a queue that empties over several turns ends, however many publishers fill the turns', () => {
  const world = new World({ queueMessagesMax: 10_000 });
  const sub = world.connect('sub');
  sub.subscribe('t');
  const pub = world.connect('pub');
  const sent: string[] = [];
  const publish = (count: number): void => {
    for (let i = 0; i < count; i++) {
      sent.push(`${sent.length}`);
      pub.publish('t', sent.at(-1)!);
    }
  };
  sub.congest(true);
  publish(9000);
  sub.congest(false);
  for (let turn = 0; turn < 5; turn++) {
    publish(3000);
    world.broker.runDeferred(world.now);
  }
  assert.deepEqual(sub.payloads(), sent);
});

test('a client whose own packets wait for a rate gets what waited for it', () => {
  const world = new World();
  const rates = new ListenerRates();
  const none = Number.POSITIVE_INFINITY;
  const others = { clientBytes: none, listenerMessages: none, listenerBytes: none };
  rates.configure({ ...others, clientMessages: 1, burstSeconds: 1 });
  const pub = world.connect('pub');
  world.listener = { name: 'tcp', rates };
  const sub = world.connect('sub');
  sub.subscribe('t');
  sub.congest(true);
  pub.publish('t', 'waits');
  for (let i = 0; i < 9; i++) sub.send(wire.publish(5, { topic: 'own' }));
  assert.ok(sub.isPaused, 'the client is over its rate');
  sub.congest(false);
  assert.deepEqual(sub.payloads(), ['waits']);
});

eachVersion('QoS 0 messages that wait for a slow connection end with it', (version) => {
  const world = new World();
  const properties = version === 5 ? { sessionExpiryInterval: 60 } : {};
  const connect = () => world.connect('sub', { version, clean: false, properties });
  const first = connect();
  first.subscribe(['t']);
  first.congest(true);
  const pub = world.connect('pub');
  pub.publish('t', 'zero');
  pub.publish('t', 'one', { qos: 1 });
  first.lose();
  assert.deepEqual(connect().payloads(), ['one']);
});

test("[MQTT5-3.3.4-7] a client that exceeds the broker's Receive Maximum is disconnected with 0x93", () => {
  const world = new World({ receiveMaximum: 2 });
  const client = world.connect('a');
  assert.equal(client.connack.properties.receiveMaximum, 2);
  for (const id of [1, 2]) client.send(wire.publish(5, { topic: 't', qos: 2, id }));
  client.expect('pubrec');
  client.expect('pubrec');
  client.send(wire.publish(5, { topic: 't', qos: 2, id: 3 }));
  client.expectEnded(0x93);
});

test("QoS 2 messages count against the broker's Receive Maximum until PUBCOMP; QoS 0 and repetitions do not", () => {
  const world = new World({ receiveMaximum: 2 });
  const client = world.connect('a');
  for (const id of [1, 2]) client.send(wire.publish(5, { topic: 't', qos: 2, id }));
  client.send(wire.publish(5, { topic: 't', qos: 2, id: 2, dup: true }));
  client.send(wire.publish(5, { topic: 't', qos: 0 }));
  client.inbox.length = 0;
  client.send(wire.ack('pubrel', 1));
  client.expect('pubcomp');
  client.send(wire.publish(5, { topic: 't', qos: 2, id: 3 }));
  client.expect('pubrec');
  client.send(wire.ack('pubrel', 2), wire.ack('pubrel', 3));
  client.expect('pubcomp');
  client.expect('pubcomp');
  for (let id = 1; id < 100; id += 1) client.publish('t', 'x', { qos: 1, id });
  client.expectNothing();
});

eachVersion('the queue of an absent client observes its limit in messages', (version) => {
  for (const queueDrop of ['oldest', 'newest'] as const) {
    const world = new World({ queueMessagesMax: 3, queueDrop });
    const connect = () =>
      world.connect('sub', {
        version,
        clean: false,
        properties: version === 5 ? { sessionExpiryInterval: 60 } : {},
      });
    const first = connect();
    first.subscribe(['t']);
    first.lose();
    publishMany(world, 't', 5);
    assert.deepEqual(
      connect().payloads(),
      queueDrop === 'oldest' ? ['2', '3', '4'] : ['0', '1', '2'],
    );
  }
});

eachVersion('the queue of an absent client observes its limit in bytes', (version) => {
  const world = new World({ queueBytesMax: 1000 });
  const connect = () =>
    world.connect('sub', {
      version,
      clean: false,
      properties: version === 5 ? { sessionExpiryInterval: 60 } : {},
    });
  const first = connect();
  first.subscribe(['t']);
  first.lose();
  const pub = world.connect('pub');
  for (const n of [1, 2, 3, 4]) pub.publish('t', `${n}`.repeat(400), { qos: 1 });
  assert.deepEqual(
    connect()
      .payloads()
      .map((payload) => payload[0]),
    ['1', '2'],
  );
});

eachVersion(
  'the queue behind the full window of a connected client also observes its limit',
  (version) => {
    const world = new World({ queueMessagesMax: 3, inflightMax: 2 });
    const sub = world.connect('sub', { version });
    sub.subscribe(['t']);
    publishMany(world, 't', 10);
    assert.equal(sub.inbox.length, 2);
    assert.deepEqual(sub.payloads(), ['0', '1', '2', '3', '4']);
  },
);

eachVersion('QoS 0 messages do not wait for an absent client', (version) => {
  const world = new World();
  const connect = () =>
    world.connect('sub', {
      version,
      clean: false,
      properties: version === 5 ? { sessionExpiryInterval: 60 } : {},
    });
  const first = connect();
  first.subscribe(['t']);
  first.lose();
  const pub = world.connect('pub');
  pub.publish('t', 'zero');
  pub.publish('t', 'one', { qos: 1 });
  assert.deepEqual(connect().payloads(), ['one']);
});

test("the broker's window also limits clients that announce no Receive Maximum", () => {
  const world = new World({ inflightMax: 5 });
  const sub = world.connect('sub');
  sub.subscribe(['t']);
  const sent = publishMany(world, 't', 20);
  assert.equal(sub.inbox.length, 5);
  assert.deepEqual(sub.payloads(), sent);
});
