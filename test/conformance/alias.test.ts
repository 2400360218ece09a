// Topic Aliases in both directions (MQTT 5.0 3.3.2.3.4, 3.1.2.11.5, 3.2.2.3.8).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

function watch(world: World): TestClient {
  const watcher = world.connect('watcher');
  watcher.subscribe(['#']);
  return watcher;
}

function alias(topic: string, topicAlias: number, payload = '', qos = 0): Buffer {
  return wire.publish(5, { topic, payload, qos, properties: { topicAlias } });
}

test('[MQTT5-3.3.2-12] an alias replaces its topic, up to the maximum of the broker, and can be set again', () => {
  const world = new World({ topicAliasMaximum: 5 });
  const watcher = watch(world);
  const client = world.connect('a');
  assert.equal(client.connack.properties.topicAliasMaximum, 5);
  for (let n = 1; n <= 5; n += 1) client.send(alias(`t/${n}`, n, 'set'));
  for (let n = 1; n <= 5; n += 1) client.send(alias('', n, 'used'));
  client.send(alias('other', 3, 'set'), alias('', 3, 'used', 1));
  client.expect('puback');
  client.expectNothing();
  const got = watcher.messages().map(({ topic, payload }) => `${topic} ${payload}`);
  const numbers = [1, 2, 3, 4, 5];
  assert.deepEqual(got, [
    ...numbers.map((n) => `t/${n} set`),
    ...numbers.map((n) => `t/${n} used`),
    'other set',
    'other used',
  ]);
});

test("a publisher's alias does not reach subscribers", () => {
  const world = new World();
  const watcher = watch(world);
  world.connect('a').send(alias('t', 1, 'x'));
  const [message] = watcher.messages();
  assert.equal(message?.topic, 't');
  assert.deepEqual(message.properties, {});
});

test('[MQTT5-3.2.2-17] [MQTT5-3.3.2-9] [MQTT5-3.3.2-8] alias 0, or one above the maximum, ends the connection with 0x94', () => {
  for (const topicAlias of [0, 6, 65535]) {
    const client = new World({ topicAliasMaximum: 5 }).connect('a');
    client.send(alias('t', topicAlias));
    client.expectEnded(0x94);
  }
});

test('[MQTT5-3.2.2-18] a broker without aliases announces none and ends the connection with 0x94', () => {
  const client = new World({ topicAliasMaximum: 0 }).connect('a');
  assert.ok(!client.connack.properties.topicAliasMaximum);
  client.send(alias('t', 1));
  client.expectEnded(0x94);
});

test('an empty topic with an alias that was never set, or without one, ends the connection with 0x82', () => {
  for (const bytes of [alias('', 1), wire.publish(5, { topic: '' })]) {
    const client = new World().connect('a');
    client.send(bytes);
    client.expectEnded(0x82);
  }
});

test('[MQTT5-3.3.2-7] aliases end with the connection, in both directions', () => {
  const world = new World();
  const watcher = watch(world);
  const properties = { sessionExpiryInterval: 60, topicAliasMaximum: 5 };
  const first = world.connect('a', { clean: false, properties });
  first.subscribe([{ filter: 't', qos: 1 }]);
  first.send(alias('u', 1));
  const publisher = world.connect('p');
  for (const n of [1, 2, 3]) publisher.publish('t', `${n}`, { qos: 1 });
  first.messages();
  publisher.publish('t', 'unacknowledged', { qos: 1 });
  first.lose();
  publisher.publish('t', 'queued', { qos: 1 });
  const second = world.connect('a', { clean: false, properties });
  assert.equal(second.expect('publish').topic, 't', 'the first to use it names the topic');
  second.inbox.length = 0;
  watcher.messages();
  second.send(alias('', 1));
  second.expectEnded(0x82);
  watcher.expectNothing();
});

test('[MQTT5-3.1.2-26] [MQTT5-3.3.2-11] the broker uses aliases up to the maximum of the client, and sets each before it uses it', () => {
  const world = new World();
  const client = world.connect('a', { properties: { topicAliasMaximum: 3 } });
  client.subscribe(['#']);
  const publisher = world.connect('p');
  const known = new Map<number, string>();
  let used = 0;
  for (let i = 0; i < 200; i += 1) {
    const topic = `some/longer/topic/${(i * i) % 7}`;
    publisher.publish(topic, `${i}`);
    const message = client.expect('publish');
    const number = message.properties.topicAlias as number | undefined;
    if (message.topic !== '') {
      assert.equal(message.topic, topic);
      if (number !== undefined) known.set(number, topic);
    } else {
      used += 1;
      assert.ok(number !== undefined);
      assert.equal(known.get(number), topic);
    }
    assert.ok(number === undefined || (number >= 1 && number <= 3));
  }
  assert.ok(used > 20, `aliases save something: ${used} of 200`);
});

test('a repeated topic is sent by its alias', () => {
  const world = new World();
  const client = world.connect('a', { properties: { topicAliasMaximum: 10 } });
  client.subscribe(['#']);
  const publisher = world.connect('p');
  for (let i = 0; i < 10; i += 1) publisher.publish('some/longer/topic', 'x', { qos: i % 3 });
  const got = client.messages();
  assert.equal(got.filter((message) => message.topic === '').length > 5, true);
});

test('a topic in frequent use keeps its alias when others need one', () => {
  const world = new World();
  const client = world.connect('a', { properties: { topicAliasMaximum: 2 } });
  client.subscribe(['#']);
  const publisher = world.connect('p');
  const topics = [
    'often/used',
    'once/1',
    'often/used',
    'once/2',
    'often/used',
    'once/3',
    'often/used',
  ];
  for (const topic of topics) publisher.publish(topic);
  assert.deepEqual(
    client.messages().map((message) => message.topic),
    ['often/used', 'once/1', '', 'once/2', '', 'once/3', ''],
  );
});

test('[MQTT5-3.1.2-27] a client that announces no alias maximum gets no alias', () => {
  for (const properties of [{}, { topicAliasMaximum: 0 }]) {
    const world = new World();
    const client = world.connect('a', { properties });
    client.subscribe(['#']);
    const publisher = world.connect('p');
    for (let i = 0; i < 20; i += 1) publisher.publish('some/longer/topic', 'x');
    for (const message of client.messages()) {
      assert.equal(message.topic, 'some/longer/topic');
      assert.equal('topicAlias' in message.properties, false);
    }
  }
});

test('an alias stays correct after dropped messages', () => {
  const world = new World();
  const client = world.connect('a', {
    properties: { topicAliasMaximum: 2, maximumPacketSize: 60 },
  });
  client.subscribe(['#']);
  const publisher = world.connect('p');
  const known = new Map<unknown, string>();
  for (let i = 0; i < 60; i += 1) {
    const topic = `topic/${Math.floor(i / 3) % 3}`;
    publisher.publish(topic, 'x'.repeat(i % 2 === 0 ? 100 : 1), { qos: i % 3 });
    for (const message of client.messages()) {
      const { topicAlias } = message.properties;
      if (message.topic !== '') known.set(topicAlias, message.topic);
      else assert.equal(known.get(topicAlias), topic);
    }
  }
});
