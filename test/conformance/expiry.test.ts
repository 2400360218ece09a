// Message expiry: the interval counts down while a message waits in a queue or in the retained store (MQTT 5.0
// 3.3.2.3.3, 4.3.3).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const SECOND = 1000;

function resume(world: World, receiveMaximum = 100): TestClient {
  return world.connect('sub', {
    clean: false,
    properties: { sessionExpiryInterval: 3600, receiveMaximum },
  });
}

const expiring = (seconds: number, qos = 1) => ({
  qos,
  properties: { messageExpiryInterval: seconds },
});

test('a message that is delivered at once keeps its whole interval', () => {
  const world = new World();
  const sub = resume(world);
  sub.subscribe(['t']);
  world.connect('p').publish('t', 'x', expiring(30));
  assert.equal(sub.messages()[0]?.properties.messageExpiryInterval, 30);
});

test('[MQTT5-3.3.2-5] [MQTT5-3.3.2-6] the interval counts down in the queue of an absent client, and an expired message is dropped', () => {
  const world = new World();
  const first = resume(world);
  first.subscribe(['t']);
  first.lose();
  const pub = world.connect('p');
  pub.publish('t', 'short', expiring(5));
  pub.publish('t', 'long', expiring(30));
  pub.publish('t', 'ever', { qos: 1 });
  world.advance(10 * SECOND);
  const got = resume(world).messages();
  assert.deepEqual(
    got.map((message) => [message.payload, message.properties.messageExpiryInterval]),
    [
      ['long', 20],
      ['ever', undefined],
    ],
  );
});

test('[MQTT5-3.3.2-5] [MQTT5-3.3.2-6] the interval also counts down behind a full window', () => {
  const world = new World();
  const sub = resume(world, 1);
  sub.subscribe(['t']);
  const pub = world.connect('p');
  pub.publish('t', 'holds the window', { qos: 1 });
  pub.publish('t', 'short', expiring(5));
  pub.publish('t', 'long', expiring(30));
  world.advance(10 * SECOND);
  const got = sub.messages();
  assert.deepEqual(
    got.map((message) => [message.payload, message.properties.messageExpiryInterval]),
    [
      ['holds the window', undefined],
      ['long', 20],
    ],
  );
});

test('[MQTT5-3.3.2-6] a retained message counts down and expires', () => {
  const world = new World();
  world.connect('p').publish('t', 'x', { ...expiring(30), retain: true });
  world.advance(10 * SECOND);
  const early = world.connect('a');
  early.subscribe(['t']);
  assert.equal(early.messages()[0]?.properties.messageExpiryInterval, 20);
  world.advance(21 * SECOND);
  const late = world.connect('b');
  late.subscribe(['t']);
  late.expectNothing();
});

test('[MQTT5-4.3.3-7] [MQTT5-4.3.3-13] a message that was sent does not expire: its delivery completes', () => {
  const world = new World();
  let sub = resume(world);
  sub.subscribe(['t']);
  world.connect('p').publish('t', 'x', expiring(5, 2));
  const { id } = sub.expect('publish');
  sub.lose();
  world.advance(60 * SECOND);
  sub = resume(world);
  const again = sub.expect('publish');
  assert.deepEqual([again.id, again.dup, again.payload], [id, true, 'x']);
  sub.send(wire.ack('pubrec', id));
  assert.equal(sub.expect('pubrel').id, id);
  sub.lose();
  world.advance(60 * SECOND);
  sub = resume(world);
  assert.equal(sub.expect('pubrel').id, id);
  sub.send(wire.ack('pubcomp', id));
  sub.expectNothing();
});

test('[MQTT5-4.3.3-13] the publisher of an expired message completes its QoS 2 exchange', () => {
  const world = new World();
  const pub = world.connect('p');
  pub.send(wire.publish(5, { topic: 't', id: 1, ...expiring(1, 2) }));
  pub.expect('pubrec');
  world.advance(10 * SECOND);
  pub.send(wire.ack('pubrel', 1));
  assert.equal(pub.expect('pubcomp').reason, 0);
});

test('an interval of 0 seconds is delivered at once or not at all', () => {
  const world = new World();
  const first = resume(world);
  first.subscribe(['t']);
  first.lose();
  world.connect('p').publish('t', 'x', expiring(0));
  world.advance(1);
  resume(world).expectNothing();
});

test('a client of 3.1.1 gets no expired message either', () => {
  const world = new World();
  const connect = () => world.connect('sub', { version: 4, clean: false });
  const first = connect();
  first.subscribe(['t']);
  first.lose();
  world.connect('p').publish('t', 'x', expiring(5));
  world.advance(6 * SECOND);
  connect().expectNothing();
});
