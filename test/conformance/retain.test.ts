// Retained messages, Retain Handling and Retain As Published (MQTT 5.0 3.3.1.3, 3.8.3.1; MQTT 3.1.1
// 3.3.1.3).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

eachVersion(
  '[MQTT3-3.3.1-5] [MQTT3-3.3.1-6] [MQTT3-3.3.1-8] [MQTT5-3.3.1-5] a retained message is stored with its QoS and sent to later subscribers with RETAIN set',
  (version) => {
    const world = new World();
    const publisher = world.connect('p', { version });
    for (const qos of [0, 1, 2]) {
      publisher.publish('t', 'old', { qos: 2, retain: true });
      publisher.publish('t', `new ${qos}`, { qos, retain: true });
      const late = world.connect('a', { version });
      late.subscribe(['t']);
      const got = late.messages();
      assert.equal(got.length, 1);
      assert.equal(got[0]?.payload, `new ${qos}`);
      assert.equal(got[0].qos, qos);
      assert.equal(got[0].retain, true);
      assert.equal(got[0].dup, false);
    }
  },
);

eachVersion('[MQTT3-3.3.1-7] a retained QoS 0 message replaces one of a higher QoS', (version) => {
  const world = new World();
  const publisher = world.connect('p', { version });
  publisher.publish('t', 'one', { qos: 1, retain: true });
  publisher.publish('t', 'zero', { qos: 0, retain: true });
  const late = world.connect('a', { version });
  late.subscribe(['t']);
  assert.deepEqual(late.payloads(), ['zero']);
});

eachVersion('a subscription with wildcards gets each matching retained message', (version) => {
  const world = new World();
  const publisher = world.connect('p', { version });
  for (const topic of ['a', 'a/b', 'a/b/c', 'a/d', 'b', '/a', 'a/']) {
    publisher.publish(topic, topic, { retain: true });
  }
  const cases: [string, string[]][] = [
    ['#', ['/a', 'a', 'a/', 'a/b', 'a/b/c', 'a/d', 'b']],
    ['a/#', ['a', 'a/', 'a/b', 'a/b/c', 'a/d']],
    ['a/+', ['a/', 'a/b', 'a/d']],
    ['+', ['a', 'b']],
    ['+/+', ['/a', 'a/', 'a/b', 'a/d']],
    ['+/b/#', ['a/b', 'a/b/c']],
    ['c', []],
  ];
  for (const [filter, expected] of cases) {
    const client = world.connect('a', { version });
    client.subscribe([filter]);
    assert.deepEqual(client.payloads().sort(), expected, filter);
  }
});

eachVersion(
  '[MQTT3-3.3.1-9] [MQTT5-3.3.1-12] an established subscription gets the message with RETAIN cleared',
  (version) => {
    const world = new World();
    const client = world.connect('a', { version });
    client.subscribe(['t']);
    world.connect('p', { version }).publish('t', 'x', { qos: 1, retain: true });
    assert.equal(client.messages()[0]?.retain, false);
  },
);

test('[MQTT5-3.3.1-13] with Retain As Published the flag is passed on', () => {
  const world = new World();
  const client = world.connect('a');
  client.subscribe([{ filter: 't', qos: 1, retainAsPublished: true }]);
  const publisher = world.connect('p');
  for (const qos of [0, 1]) {
    publisher.publish('t', 'x', { qos, retain: true });
    publisher.publish('t', 'y', { qos, retain: false });
    assert.deepEqual(
      client.messages().map((message) => message.retain),
      [true, false],
    );
  }
});

test('one message goes to some subscribers with RETAIN set and to others with it cleared', () => {
  const world = new World();
  const versions = [5, 5, 4] as const;
  const clients = versions.map((version, i) => world.connect(`c${i}`, { version }));
  for (const [i, client] of clients.entries()) {
    const retainAsPublished = i === 0 && client.version === 5;
    client.subscribe([{ filter: 't', qos: 0, retainAsPublished }]);
  }
  world.connect('p').publish('t', 'x', { retain: true });
  assert.deepEqual(
    clients.map((client) => client.messages()[0]?.retain),
    [true, false, false],
  );
});

test('Retain As Published also holds for queued messages', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: 60 };
  const first = world.connect('a', { properties });
  first.subscribe([{ filter: 't', qos: 1, retainAsPublished: true }]);
  first.lose();
  world.connect('p').publish('t', 'x', { qos: 1, retain: true });
  const second = world.connect('a', { clean: false, properties });
  assert.equal(second.messages()[0]?.retain, true);
});

eachVersion(
  '[MQTT3-3.3.1-10] [MQTT3-3.3.1-11] [MQTT5-3.3.1-6] [MQTT5-3.3.1-7] an empty retained message is delivered, removes the stored one and is not stored',
  (version) => {
    const world = new World();
    const publisher = world.connect('p', { version });
    publisher.publish('t', 'x', { retain: true });
    const client = world.connect('a', { version });
    client.subscribe(['t']);
    assert.deepEqual(client.payloads(), ['x']);
    publisher.publish('t', '', { retain: true });
    const [cleared] = client.messages();
    assert.equal(cleared?.payload, '');
    assert.equal(cleared.retain, false);
    const late = world.connect('b', { version });
    late.subscribe(['#']);
    late.expectNothing();
  },
);

eachVersion(
  '[MQTT3-3.3.1-12] [MQTT5-3.3.1-8] a message without RETAIN leaves the stored one unchanged',
  (version) => {
    const world = new World();
    const publisher = world.connect('p', { version });
    publisher.publish('t', 'kept', { retain: true });
    publisher.publish('t', 'passing');
    publisher.publish('t', '');
    publisher.publish('u', 'passing');
    const late = world.connect('a', { version });
    late.subscribe(['#']);
    assert.deepEqual(late.payloads(), ['kept']);
  },
);

test('[MQTT5-3.3.1-9] [MQTT5-3.8.4-4] with Retain Handling 0 every subscribe sends the retained messages', () => {
  const world = new World();
  world.connect('p').publish('t', 'x', { retain: true });
  const client = world.connect('a');
  for (let i = 0; i < 3; i += 1) {
    client.subscribe([{ filter: 't', retainHandling: 0 }]);
    assert.deepEqual(client.payloads(), ['x']);
  }
});

test('[MQTT5-3.3.1-10] with Retain Handling 1 only a new subscription gets the retained messages', () => {
  const world = new World();
  world.connect('p').publish('t', 'x', { retain: true });
  const client = world.connect('a');
  client.subscribe([{ filter: 't', retainHandling: 1 }]);
  assert.deepEqual(client.payloads(), ['x']);
  client.subscribe([{ filter: 't', qos: 1, retainHandling: 1 }]);
  client.expectNothing();
  client.unsubscribe('t');
  client.subscribe([{ filter: 't', retainHandling: 1 }]);
  assert.deepEqual(client.payloads(), ['x']);
});

test('[MQTT5-3.3.1-11] with Retain Handling 2 a subscription gets no retained messages', () => {
  const world = new World();
  const publisher = world.connect('p');
  publisher.publish('t', 'x', { retain: true });
  const client = world.connect('a');
  client.subscribe([{ filter: 't', retainHandling: 2 }]);
  client.expectNothing();
  publisher.publish('t', 'y');
  assert.deepEqual(client.payloads(), ['y']);
});

test('Retain Handling 3 ends the connection', () => {
  const client = new World().connect('a');
  client.send(wire.subscribe(5, 1, [{ filter: 't', retainHandling: 3 }]));
  client.expectEnded();
});

test("No Local does not suppress the client's own retained messages", () => {
  const world = new World();
  const client = world.connect('a');
  client.publish('t', 'x', { retain: true });
  client.subscribe([{ filter: 't', noLocal: true }]);
  assert.ok(client.payloads().length <= 1, 'sent or left out, but once');
});

test('a retained message carries the identifier of the subscription that caused it', () => {
  const world = new World();
  world.connect('p').publish('t', 'x', { retain: true });
  const client = world.connect('a');
  client.subscribe(['t'], { subscriptionIdentifier: 7 });
  assert.deepEqual(client.messages()[0]?.properties.subscriptionIdentifier, [7]);
});

eachVersion('the delivery of a message does not retain it', (version) => {
  const world = new World();
  const client = world.connect('a', { version });
  client.subscribe(['#']);
  world.connect('p', { version }).publish('t', 'x', { qos: 2 });
  client.messages();
  const late = world.connect('b', { version });
  late.subscribe(['#']);
  late.expectNothing();
});

test('the retained store observes its limits, and a full store still replaces and removes', () => {
  const world = new World({ retainedMessagesMax: 2 });
  const publisher = world.connect('p');
  for (const topic of ['a', 'b', 'c']) publisher.publish(topic, topic, { retain: true });
  publisher.publish('a', 'a2', { retain: true });
  const late = world.connect('x');
  late.subscribe(['+']);
  assert.deepEqual(late.payloads().sort(), ['a2', 'b']);
  publisher.publish('b', '', { retain: true });
  publisher.publish('c', 'c', { retain: true });
  const later = world.connect('y');
  later.subscribe(['+']);
  assert.deepEqual(later.payloads().sort(), ['a2', 'c']);
});

test('the retained store has a limit in bytes', () => {
  const world = new World({ retainedBytesMax: 1500 });
  const publisher = world.connect('p');
  publisher.publish('a', 'x'.repeat(600), { retain: true });
  publisher.publish('b', 'x'.repeat(600), { retain: true });
  publisher.publish('a', 'y'.repeat(600), { retain: true });
  const late = world.connect('x');
  late.subscribe(['+']);
  assert.deepEqual(
    late.messages().map(({ topic, payload }) => [topic, payload[0]]),
    [['a', 'y']],
  );
});
