// SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (chapters 3.8 to 3.11 of both texts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

eachVersion(
  '[MQTT3-2.3.1-7] [MQTT3-3.8.4-1] [MQTT3-3.8.4-2] [MQTT5-2.2.1-6] [MQTT5-3.8.4-1] [MQTT5-3.8.4-2] SUBSCRIBE is answered by SUBACK with its packet identifier',
  (version) => {
    const client = new World().connect('a', { version });
    for (const id of [1, 65535, 1]) {
      client.send(wire.subscribe(version, id, ['t']));
      assert.equal(client.expect('suback').id, id);
    }
    client.expectNothing();
  },
);

eachVersion(
  '[MQTT3-3.8.4-4] [MQTT3-3.8.4-5] [MQTT3-3.9.3-1] [MQTT5-3.8.4-5] [MQTT5-3.8.4-6] [MQTT5-3.8.4-7] [MQTT5-3.9.3-1] several filters get one SUBACK with a code for each, in order',
  (version) => {
    const world = new World();
    const client = world.connect('a', { version });
    const { reasons } = client.subscribe([
      { filter: 'a', qos: 2 },
      { filter: 'b', qos: 0 },
      { filter: 'c/'.repeat(200), qos: 1 },
      { filter: 'e', qos: 1 },
    ]);
    assert.deepEqual(reasons, [2, 0, version === 5 ? 0x8f : 0x80, 1]);
    const publisher = world.connect('p');
    for (const topic of ['a', 'b', 'e']) publisher.publish(topic, topic);
    assert.deepEqual(client.payloads(), ['a', 'b', 'e']);
  },
);

eachVersion(
  '[MQTT3-3.9.3-2] [MQTT5-3.9.3-2] a filter with more levels than the broker takes fails alone',
  (version) => {
    const client = new World({ topicLevelsMax: 3 }).connect('a', { version });
    const { reasons } = client.subscribe(['good', 'a/b/c/d']);
    assert.deepEqual(reasons, [2, version === 5 ? 0x8f : 0x80]);
    client.expectNothing();
  },
);

eachVersion(
  '[MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT5-4.7.1-1] [MQTT5-4.7.1-2] [MQTT3-4.7.3-1] [MQTT5-4.7.3-1] [MQTT3-4.8.0-1] [MQTT5-4.13.1-1] a filter that is empty or has a misplaced wildcard is a protocol error: the connection ends and no filter of the packet takes effect',
  (version) => {
    const properties = version === 5 ? { sessionExpiryInterval: 60 } : {};
    for (const filter of ['a#', '#/a', 'a/#/b', 'a/b#', 'a+', '+a', 'a/b+/c', '']) {
      for (const make of [wire.subscribe, wire.unsubscribe]) {
        const world = new World();
        const client = world.connect('a', { version, clean: false, properties });
        client.send(make(version, 1, ['good', filter]));
        client.expectEnded(0x82);
        const again = world.connect('a', { version, clean: false, properties });
        assert.equal(again.connack.sessionPresent, true);
        world.connect('p').publish('good', 'x');
        again.expectNothing();
      }
    }
  },
);

eachVersion(
  '[MQTT3-3.8.1-1] [MQTT5-3.8.1-1] [MQTT3-3.10.1-1] [MQTT5-3.10.1-1] SUBSCRIBE and UNSUBSCRIBE with wrong flags end the connection',
  (version) => {
    for (const bytes of [wire.subscribe(version, 1, ['t']), wire.unsubscribe(version, 1, ['t'])]) {
      for (const flags of [0, 1, 3, 6, 10]) {
        const client = new World().connect('a', { version });
        const wrong = Buffer.from(bytes);
        wrong[0] = (bytes.readUInt8(0) & 0xf0) | flags;
        client.send(wrong);
        client.expectEnded(0x81);
      }
    }
  },
);

eachVersion(
  '[MQTT3-3.8.3-3] [MQTT5-3.8.3-2] [MQTT3-3.10.3-2] [MQTT5-3.10.3-2] SUBSCRIBE and UNSUBSCRIBE without a filter end the connection',
  (version) => {
    for (const bytes of [wire.subscribe(version, 1, []), wire.unsubscribe(version, 1, [])]) {
      const client = new World().connect('a', { version });
      client.send(bytes);
      client.expectEnded(0x82);
    }
  },
);

eachVersion(
  '[MQTT3-3.8.3-4] [MQTT5-3.8.3-5] reserved bits or QoS 3 in the subscription options end the connection',
  (version) => {
    const wrong = version === 5 ? [0x40, 0x80, 0x03] : [0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x03];
    for (const options of wrong) {
      const client = new World().connect('a', { version });
      client.send(wire.subscribe(version, 1, [{ filter: 't', options }]));
      client.expectEnded(0x81);
    }
  },
);

eachVersion(
  '[MQTT3-3.8.3-1] [MQTT5-3.8.3-1] [MQTT3-3.10.3-1] [MQTT5-3.10.3-1] [MQTT3-4.7.3-2] [MQTT5-4.7.3-2] filters in ill-formed UTF-8 end the connection',
  (version) => {
    for (const bytes of [[0xff], [0x61, 0x00], [0xed, 0xa0, 0x80]]) {
      const filter = Buffer.from(bytes);
      for (const message of [
        wire.subscribe(version, 1, [{ filter }]),
        wire.unsubscribe(version, 1, [filter]),
      ]) {
        const client = new World().connect('a', { version });
        client.send(message);
        client.expectEnded(0x81);
      }
    }
  },
);

eachVersion(
  '[MQTT3-3.8.4-6] [MQTT5-3.8.4-8] messages have the lower of their own and the granted QoS',
  (version) => {
    for (const granted of [0, 1, 2]) {
      const world = new World();
      const client = world.connect('a', { version });
      client.subscribe([{ filter: 't', qos: granted }]);
      const publisher = world.connect('p');
      for (const qos of [0, 1, 2]) {
        publisher.publish('t', 'x', { qos });
        assert.equal(client.messages()[0]?.qos, Math.min(qos, granted));
      }
    }
  },
);

eachVersion('with the upgrade option messages have the QoS of the subscription', (version) => {
  const world = new World({ upgradeQos: true });
  const client = world.connect('a', { version });
  client.subscribe([{ filter: 't', qos: 2 }]);
  world.connect('p').publish('t', 'x', { qos: 0, retain: true });
  assert.equal(client.messages()[0]?.qos, 2);
  client.subscribe([{ filter: 't', qos: 1 }]);
  assert.equal(client.messages()[0]?.qos, 1, 'from the retained store, too');
});

eachVersion(
  '[MQTT3-3.8.4-3] [MQTT5-3.8.4-3] [MQTT5-3.8.4-4] subscribing again to a filter replaces the subscription, sends retained messages again and loses none',
  (version) => {
    const world = new World();
    const publisher = world.connect('p');
    publisher.publish('t', 'kept', { qos: 1, retain: true });
    const client = world.connect('a', { version });
    client.subscribe([{ filter: 't', qos: 2 }]);
    const [first] = client.messages();
    assert.deepEqual([first?.payload, first?.qos], ['kept', 1]);
    publisher.publish('t', 'before', { qos: 2 });
    client.subscribe([{ filter: 't', qos: 0 }]);
    const got = client.messages().map((message) => [message.payload, message.qos, message.retain]);
    assert.deepEqual(got, [
      ['before', 2, false],
      ['kept', 0, true],
    ]);
    publisher.publish('t', 'after', { qos: 2 });
    assert.deepEqual(
      client.messages().map((message) => [message.payload, message.qos]),
      [['after', 0]],
    );
  },
);

eachVersion(
  '[MQTT3-3.3.5-1] [MQTT5-3.3.4-2] overlapping subscriptions give one copy at the highest QoS',
  (version) => {
    const world = new World();
    const client = world.connect('a', { version });
    client.subscribe([
      { filter: 'a/b', qos: 0 },
      { filter: 'a/+', qos: 2 },
      { filter: '#', qos: 1 },
    ]);
    world.connect('p').publish('a/b', 'x', { qos: 2 });
    const got = client.messages();
    assert.equal(got.length, 1);
    assert.equal(got[0]?.qos, 2);
  },
);

test('[MQTT5-3.3.4-3] [MQTT5-3.3.4-4] that one copy carries the identifiers of all matching subscriptions', () => {
  const world = new World();
  const client = world.connect('a');
  client.subscribe([{ filter: 'a/b', qos: 0 }], { subscriptionIdentifier: 1 });
  client.subscribe([{ filter: 'a/+', qos: 2 }], { subscriptionIdentifier: 268_435_455 });
  client.subscribe([{ filter: 'a/#', qos: 1 }]);
  client.subscribe([{ filter: 'other', qos: 1 }], { subscriptionIdentifier: 9 });
  world.connect('p').publish('a/b', 'x', { qos: 1 });
  const got = client.messages();
  assert.equal(got.length, 1);
  const ids = got[0]?.properties.subscriptionIdentifier as number[];
  assert.deepEqual(ids.toSorted(), [1, 268_435_455]);
});

test('[MQTT5-3.3.4-5] with a copy for each subscription, each copy has its own identifier and QoS', () => {
  const world = new World({ overlapping: 'each' });
  const client = world.connect('a');
  client.subscribe([{ filter: 'a/b', qos: 0 }], { subscriptionIdentifier: 1 });
  client.subscribe([{ filter: 'a/+', qos: 2 }], { subscriptionIdentifier: 2 });
  client.subscribe([{ filter: '#', qos: 1 }]);
  world.connect('p').publish('a/b', 'x', { qos: 2 });
  const got = client.messages().map((m) => [m.qos, m.properties.subscriptionIdentifier]);
  assert.deepEqual(got.toSorted(), [
    [0, [1]],
    [1, undefined],
    [2, [2]],
  ]);
});

test('a subscription identifier is replaced with its subscription and outlives the connection', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: 60 };
  const first = world.connect('a', { properties });
  first.subscribe(['t'], { subscriptionIdentifier: 1 });
  first.subscribe(['t'], { subscriptionIdentifier: 300 });
  first.lose();
  const publisher = world.connect('p');
  publisher.publish('t', '1', { qos: 1 });
  const second = world.connect('a', { clean: false, properties });
  assert.deepEqual(second.messages()[0]?.properties.subscriptionIdentifier, [300]);
  second.subscribe(['t']);
  publisher.publish('t', '2', { qos: 1 });
  assert.equal(second.messages()[0]?.properties.subscriptionIdentifier, undefined);
});

test('subscription identifier 0, or two of them, end the connection', () => {
  for (const subscriptionIdentifier of [0, [1, 2]]) {
    const client = new World().connect('a');
    client.send(wire.subscribe(5, 1, ['t'], { subscriptionIdentifier }));
    client.expectEnded(0x82);
  }
});

test('[MQTT5-3.8.3-3] with No Local a message does not go back to the client that published it', () => {
  const world = new World();
  const one = world.connect('one');
  const two = world.connect('two');
  for (const client of [one, two]) client.subscribe([{ filter: 't', qos: 1, noLocal: true }]);
  one.publish('t', 'x', { qos: 1 });
  one.expectNothing();
  assert.deepEqual(two.payloads(), ['x']);
  one.subscribe([{ filter: 't', qos: 1, noLocal: false }]);
  one.send(wire.publish(5, { topic: 't', payload: 'y' }));
  assert.deepEqual(one.payloads(), ['y']);
});

test('No Local suppresses only its own subscription if several match', () => {
  const world = new World();
  const client = world.connect('a');
  client.subscribe([{ filter: 't', qos: 1, noLocal: true }], { subscriptionIdentifier: 1 });
  client.subscribe([{ filter: '#', qos: 0 }], { subscriptionIdentifier: 2 });
  client.send(wire.publish(5, { topic: 't', payload: 'x' }));
  const got = client.messages();
  assert.equal(got.length, 1);
  assert.deepEqual(got[0]?.properties.subscriptionIdentifier, [2]);
});

eachVersion(
  '[MQTT3-3.10.4-4] [MQTT3-3.10.4-5] [MQTT3-3.10.4-6] [MQTT5-3.10.4-4] [MQTT5-3.10.4-5] [MQTT5-3.10.4-6] [MQTT5-3.11.3-1] [MQTT5-3.11.3-2] UNSUBSCRIBE is answered by one UNSUBACK, also for filters that are not subscribed',
  (version) => {
    const world = new World();
    const client = world.connect('a', { version });
    client.subscribe(['a', 'b']);
    const { reasons } = client.unsubscribe('x', 'a', 'y', 'b', 'a');
    assert.deepEqual(reasons, version === 5 ? [0x11, 0, 0x11, 0, 0x11] : []);
    const publisher = world.connect('p');
    publisher.publish('a');
    publisher.publish('b');
    client.expectNothing();
  },
);

eachVersion(
  '[MQTT3-3.10.4-1] [MQTT3-3.10.4-2] [MQTT5-3.10.4-1] [MQTT5-3.10.4-2] UNSUBSCRIBE removes only the equal filter, and no new messages come for it',
  (version) => {
    const world = new World();
    const client = world.connect('a', { version });
    client.subscribe(['a/+', 'a/b', 'a/#', 'A/b']);
    client.unsubscribe('a/b');
    const publisher = world.connect('p');
    publisher.publish('a/b', '1');
    assert.deepEqual(client.payloads(), ['1']);
    client.unsubscribe('a/+', 'a/#');
    publisher.publish('a/b', '2');
    publisher.publish('A/b', '3');
    assert.deepEqual(client.payloads(), ['3']);
  },
);

eachVersion(
  '[MQTT3-3.10.4-3] [MQTT5-3.10.4-3] a delivery that began before UNSUBSCRIBE completes, also over a reconnect',
  (version) => {
    const world = new World();
    const properties = version === 5 ? { sessionExpiryInterval: 60 } : {};
    const connect = () => world.connect('a', { version, clean: false, properties });
    const first = connect();
    first.subscribe(['t']);
    const publisher = world.connect('p');
    publisher.publish('t', '1', { qos: 1 });
    publisher.publish('t', '2', { qos: 2 });
    const sent = first.inbox.splice(0);
    assert.equal(sent.length, 2);
    first.unsubscribe('t');
    first.send(wire.ack('pubrec', sent[1]?.id ?? 0));
    assert.equal(first.expect('pubrel').id, sent[1]?.id);
    first.lose();
    const second = connect();
    assert.deepEqual(second.inbox.map((packet) => packet.type).toSorted(), ['publish', 'pubrel']);
  },
);

eachVersion(
  '[MQTT3-3.8.3-2] filters with wildcards are refused if wildcards are not available',
  (version) => {
    const client = new World({ wildcardAvailable: false }).connect('a', { version });
    if (version === 5) assert.equal(client.connack.properties.wildcardSubscriptionAvailable, 0);
    const { reasons } = client.subscribe(['a', 'a/+', '#']);
    const refused = version === 5 ? 0xa2 : 0x80;
    assert.deepEqual(reasons, [2, refused, refused]);
  },
);

test('subscription identifiers are refused if they are not available', () => {
  const client = new World({ subscriptionIdentifiersAvailable: false }).connect('a');
  assert.equal(client.connack.properties.subscriptionIdentifierAvailable, 0);
  client.send(wire.subscribe(5, 1, ['t'], { subscriptionIdentifier: 1 }));
  if (client.closed) client.expectEnded(0xa1);
  else assert.deepEqual(client.expect('suback').reasons, [0xa1]);
});

eachVersion('a denied subscription is refused', (version) => {
  const authorizer = {
    permissive: false,
    provesUsers: false,
    authenticate: () => ({ reasonCode: 0 }),
    mayPublish: () => true,
    subscriptionRefusal: (_: unknown, filter: string) => (filter === 'secret' ? 0x87 : 0),
    mayReceive: () => true,
    mayReceiveAll: () => true,
    isStillAuthorized: () => true,
    work: 0,
  };
  const world = new World({}, { authorizer });
  const client = world.connect('a', { version });
  assert.deepEqual(client.subscribe(['secret', 'open']).reasons, [version === 5 ? 0x87 : 0x80, 2]);
  world.connect('p').publish('secret');
  client.expectNothing();
});

eachVersion(
  'the number of subscriptions of a client is limited; replacing one is always allowed',
  (version) => {
    const client = new World({ subscriptionsPerClientMax: 2 }).connect('a', { version });
    const { reasons } = client.subscribe(['a', 'b', 'c', 'a']);
    assert.deepEqual(reasons, [2, 2, version === 5 ? 0x97 : 0x80, 2]);
    client.unsubscribe('a');
    assert.deepEqual(client.subscribe(['c']).reasons, [2]);
  },
);
