// PUBLISH on its way through the broker: topics, properties and the flags of delivered packets
// (MQTT 5.0 3.3; MQTT 3.1.1 3.3). Retained messages and QoS flows have their own files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const PROPERTIES: wire.Properties = {
  payloadFormatIndicator: 1,
  contentType: 'application/json',
  responseTopic: 'answers/1',
  correlationData: Buffer.from([0, 1, 2, 255]),
  userProperty: [
    ['z', '1'],
    ['a', '2'],
    ['z', '1'],
    ['', ''],
  ],
};

eachVersion(
  '[MQTT3-3.3.2-3] [MQTT5-3.3.2-3] [MQTT3-4.5.0-1] [MQTT5-4.5.0-1] a message goes to each client with a matching subscription, under its own topic',
  (version) => {
    const world = new World();
    const exact = world.connect('a', { version });
    const wild = world.connect('b', { version });
    const other = world.connect('c', { version });
    exact.subscribe(['home/kitchen']);
    wild.subscribe(['home/+']);
    other.subscribe(['garden/#']);
    const publisher = world.connect('p', { version });
    for (const qos of [0, 1, 2]) {
      publisher.publish('home/kitchen', `q${qos}`, { qos });
      for (const client of [exact, wild]) {
        const [message] = client.messages();
        assert.equal(message?.topic, 'home/kitchen');
        assert.equal(message.payload, `q${qos}`);
        assert.equal(message.qos, qos);
      }
    }
    other.expectNothing();
  },
);

eachVersion('a publisher with a matching subscription gets its own message', (version) => {
  const client = new World().connect('a', { version });
  client.subscribe(['t']);
  client.publish('t', 'x');
  assert.deepEqual(client.payloads(), ['x']);
});

eachVersion(
  '[MQTT3-3.3.2-2] [MQTT5-3.3.2-2] [MQTT3-4.7.1-1] [MQTT5-4.7.0-1] [MQTT3-4.7.3-1] [MQTT5-4.7.3-1] a topic name with a wildcard, or without a character, ends the connection',
  (version) => {
    for (const topic of ['a/#', '#', '+', 'a/+/b', 'a+', '']) {
      const client = new World().connect('a', { version });
      client.send(wire.publish(version, { topic, qos: 1 }));
      assert.ok(client.closed, `"${topic}" is refused`);
      if (version === 5) {
        const { reason } = client.expect('disconnect');
        assert.ok([0x81, 0x82, 0x90].includes(reason), `reason ${reason}`);
      }
      assert.equal(client.inbox.length, 0);
    }
  },
);

eachVersion(
  '[MQTT3-3.3.2-1] [MQTT5-3.3.2-1] [MQTT3-4.7.3-2] [MQTT5-4.7.3-2] a topic name that is not well-formed UTF-8 ends the connection',
  (version) => {
    for (const bytes of [[0xff], [0x61, 0x00], [0xed, 0xbf, 0xbf], [0xf5, 0x80, 0x80, 0x80]]) {
      const client = new World().connect('a', { version });
      client.send(wire.publish(version, { topic: Buffer.from(bytes) }));
      assert.ok(client.closed);
    }
  },
);

eachVersion('[MQTT3-3.3.1-4] [MQTT5-3.3.1-4] QoS 3 ends the connection as malformed', (version) => {
  const client = new World().connect('a', { version });
  client.send(wire.publish(version, { topic: 't', qos: 3 }));
  client.expectEnded(0x81);
});

eachVersion('[MQTT3-3.3.1-2] [MQTT5-3.3.1-2] QoS 0 with DUP ends the connection', (version) => {
  const client = new World().connect('a', { version });
  client.send(wire.publish(version, { topic: 't', qos: 0, dup: true }));
  client.expectEnded();
});

eachVersion(
  '[MQTT3-2.3.1-1] [MQTT5-2.2.1-3] packet identifier 0 ends the connection',
  (version) => {
    for (const bytes of [
      wire.publish(version, { topic: 't', qos: 1, id: 0 }),
      wire.publish(version, { topic: 't', qos: 2, id: 0 }),
      wire.subscribe(version, 0, ['t']),
      wire.unsubscribe(version, 0, ['t']),
    ]) {
      const client = new World().connect('a', { version });
      client.send(bytes);
      client.expectEnded();
    }
  },
);

eachVersion(
  '[MQTT3-2.3.1-5] [MQTT5-2.2.1-2] [MQTT3-4.3.1-1] [MQTT5-4.3.1-1] [MQTT3-3.3.1-3] [MQTT5-3.3.1-3] a delivered PUBLISH has its own DUP flag, and at QoS 0 neither DUP nor a packet identifier',
  (version) => {
    const world = new World();
    const client = world.connect('a', { version });
    client.subscribe([
      { filter: 'zero', qos: 0 },
      { filter: 'one', qos: 1 },
    ]);
    const publisher = world.connect('p', { version });
    publisher.publish('zero', 'x', { qos: 1, dup: true });
    publisher.publish('one', 'y', { qos: 1, dup: true });
    const [zero, one] = client.messages();
    assert.equal(zero?.qos, 0);
    assert.equal(zero.dup, false);
    // Fixed header, topic, property length where there is one, payload: no room for an identifier.
    assert.equal(zero.bytes.length, 2 + 6 + (version === 5 ? 1 : 0) + 1);
    assert.equal(one?.dup, false);
  },
);

eachVersion(
  '[MQTT3-3.3.4-1] [MQTT5-3.3.4-1] PUBLISH is answered according to its QoS: by nothing, PUBACK or PUBREC',
  (version) => {
    const client = new World().connect('a', { version });
    client.send(wire.publish(version, { topic: 't', qos: 0 }));
    client.expectNothing();
    client.send(wire.publish(version, { topic: 't', qos: 1, id: 7 }));
    assert.equal(client.expect('puback').id, 7);
    client.send(wire.publish(version, { topic: 't', qos: 2, id: 8 }));
    assert.equal(client.expect('pubrec').id, 8);
    client.expectNothing();
  },
);

eachVersion('an empty payload and a very large one are delivered', (version) => {
  const world = new World();
  const client = world.connect('a', { version });
  client.subscribe(['t']);
  const publisher = world.connect('p', { version });
  const large = 'x'.repeat(300_000);
  publisher.publish('t', '');
  publisher.publish('t', large, { qos: 1 });
  assert.deepEqual(client.payloads(), ['', large]);
});

test('[MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18] [MQTT5-3.3.2-20] the properties of a message are passed on unaltered and in order', () => {
  for (const qos of [0, 1, 2]) {
    const world = new World();
    const live = world.connect('a');
    const away = world.connect('b', { properties: { sessionExpiryInterval: 60 } });
    live.subscribe(['t']);
    away.subscribe(['t']);
    away.lose();
    world.connect('p').publish('t', 'x', { qos, retain: true, properties: PROPERTIES });
    assert.deepEqual(live.messages()[0]?.properties, PROPERTIES);
    const back = world.connect('b', {
      clean: false,
      properties: { sessionExpiryInterval: 60 },
    });
    if (qos > 0) assert.deepEqual(back.messages()[0]?.properties, PROPERTIES, 'from the queue');
    const late = world.connect('c');
    late.subscribe(['t']);
    assert.deepEqual(late.messages()[0]?.properties, PROPERTIES, 'from the retained store');
  }
});

test('[MQTT5-2.2.2-1] a message without properties has a property length of 0', () => {
  const world = new World();
  const client = world.connect('a');
  client.subscribe(['t']);
  world.connect('p', { version: 4 }).publish('t', 'x');
  assert.deepEqual(client.messages()[0]?.bytes, wire.publish(5, { topic: 't', payload: 'x' }));
});

test('properties do not reach a client of 3.1.1', () => {
  const world = new World();
  const client = world.connect('a', { version: 4 });
  client.subscribe(['t']);
  world.connect('p').publish('t', 'x', { properties: PROPERTIES });
  assert.deepEqual(client.messages()[0]?.bytes, wire.publish(4, { topic: 't', payload: 'x' }));
});

test('[MQTT5-3.3.2-13] [MQTT5-3.3.2-14] [MQTT5-3.3.2-19] [MQTT5-1.5.7-1] properties with wildcards or ill-formed strings end the connection', () => {
  const bad = Buffer.from([0xed, 0xa0, 0x80]);
  const wrong: wire.Properties[] = [
    { responseTopic: 'a/#' },
    { responseTopic: 'a/+' },
    { responseTopic: '' },
    { responseTopic: bad },
    { contentType: bad },
    { contentType: Buffer.from([0]) },
  ];
  for (const properties of wrong) {
    const client = new World().connect('a');
    client.send(wire.publish(5, { topic: 't', qos: 1, properties }));
    client.expectEnded();
  }
  for (const pair of [
    [bad, Buffer.from('v')],
    [Buffer.from('n'), bad],
  ]) {
    const client = new World().connect('a');
    const property = Buffer.concat([Buffer.from([0x26]), ...pair.map(wire.text)]);
    client.send(wire.packet(0x30, wire.text('t'), wire.varint(property.length), property));
    client.expectEnded(0x81);
  }
});

test('[MQTT5-3.3.4-6] a subscription identifier in a PUBLISH from a client ends the connection', () => {
  const client = new World().connect('a');
  client.send(wire.publish(5, { topic: 't', properties: { subscriptionIdentifier: 1 } }));
  client.expectEnded();
});

test('forbidden or repeated properties of a PUBLISH end the connection', () => {
  const wrong: wire.Properties[] = [
    { receiveMaximum: 1 },
    { payloadFormatIndicator: 2 },
    { messageExpiryInterval: [1, 2] },
  ];
  for (const properties of wrong) {
    const client = new World().connect('a');
    client.send(wire.publish(5, { topic: 't', properties }));
    client.expectEnded();
  }
  const truncated = new World().connect('a');
  truncated.send(wire.packet(0x30, wire.text('t'), [5, 0x02, 0, 0]));
  truncated.expectEnded(0x81);
});

test('[MQTT5-3.2.2-11] [MQTT5-3.2.2-9] a PUBLISH above the announced maximum QoS ends the connection', () => {
  const client = new World({ maximumQos: 1 }).connect('a');
  assert.equal(client.connack.properties.maximumQoS, 1);
  client.publish('t', 'x', { qos: 1 });
  client.send(wire.publish(5, { topic: 't', qos: 2 }));
  client.expectEnded(0x9b);
});

test('[MQTT5-3.2.2-10] SUBSCRIBE may ask for any QoS, whatever the maximum', () => {
  const world = new World({ maximumQos: 0 });
  const client = world.connect('a');
  assert.equal(client.connack.properties.maximumQoS, 0);
  const { reasons } = client.subscribe([
    { filter: 'a', qos: 0 },
    { filter: 'b', qos: 1 },
    { filter: 'c', qos: 2 },
  ]);
  assert.ok(reasons.every((reason) => reason <= 2));
  world.connect('p').publish('c', 'x');
  assert.deepEqual(client.payloads(), ['x']);
});

test('[MQTT5-3.2.2-14] RETAIN ends the connection if retain is not available', () => {
  const client = new World({ retainAvailable: false }).connect('a');
  assert.equal(client.connack.properties.retainAvailable, 0);
  client.send(wire.publish(5, { topic: 't', retain: true }));
  client.expectEnded(0x9a);
});

test('a PUBLISH without subscribers is answered with 0x10 in MQTT 5', () => {
  const client = new World().connect('a');
  assert.ok([0x00, 0x10].includes(client.publish('t', 'x', { qos: 1 })?.reason ?? -1));
  client.subscribe(['t']);
  client.send(wire.publish(5, { topic: 't', qos: 1, id: 9 }));
  const puback = client.inbox.find((packet) => packet.type === 'puback');
  assert.equal(puback?.reason, 0x00);
});

eachVersion(
  '[MQTT3-4.6.0-5] [MQTT3-4.6.0-6] [MQTT5-4.6.0-5] [MQTT5-4.6.0-6] messages of one publisher arrive in order',
  (version) => {
    const world = new World();
    const client = world.connect('a', { version });
    client.subscribe(['t']);
    const publisher = world.connect('p', { version });
    const sent = Array.from({ length: 300 }, (_, i) => `${i}`);
    for (const payload of sent) publisher.publish('t', payload, { qos: Number(payload) % 3 });
    const got = client.messages();
    for (const qos of [0, 1, 2]) {
      assert.deepEqual(
        got.filter((message) => message.qos === qos).map((message) => message.payload),
        sent.filter((payload) => Number(payload) % 3 === qos),
      );
    }
  },
);
