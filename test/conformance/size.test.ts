// Maximum Packet Size in both directions. Reason Strings and User Properties are omitted for it and for
// Request Problem Information (MQTT 5.0 3.1.2.11.4, 3.1.2.11.7, 3.2.2.3.6).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

eachVersion(
  "[MQTT5-3.2.2-15] a packet above the broker's maximum ends the connection as soon as its length arrives",
  (version) => {
    const world = new World({ packetBytesMax: 1000 });
    const client = world.connect('a', { version });
    if (version === 5) assert.equal(client.connack.properties.maximumPacketSize, 1000);
    const overhead = 3 + 3 + (version === 5 ? 1 : 0);
    client.send(wire.publish(version, { topic: 't', payload: 'x'.repeat(1000 - overhead) }));
    client.expectNothing();
    client.send(Buffer.concat([Buffer.from([0x30]), wire.varint(998)]));
    client.expectEnded(0x95);
  },
);

eachVersion('a CONNECT above the maximum ends the connection before it has arrived', (version) => {
  const client = new World({ packetBytesMax: 1000 }).open(version);
  client.send(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
  assert.ok(client.closed);
});

eachVersion(
  'a payload above message-size-limit is acknowledged and dropped, and the connection stays',
  (version) => {
    const world = new World({ payloadBytesMax: 100 });
    const subscriber = world.connect('s');
    subscriber.subscribe('t');
    const client = world.connect('a', { version });
    for (const qos of [0, 1, 2] as const) {
      const answer = client.publish('t', 'x'.repeat(101), { qos });
      if (qos > 0) assert.equal(answer?.reason, version === 5 ? 0x83 : 0);
      client.publish('t', 'x'.repeat(100), { qos });
    }
    assert.deepEqual(
      subscriber.payloads().map((payload) => payload.length),
      [100, 100, 100],
    );
    assert.equal(world.broker.stats.publishDropped, 3);
  },
);

test('a will above message-size-limit is refused', () => {
  const client = new World({ payloadBytesMax: 100 }).open();
  const will = { topic: 't', payload: 'x'.repeat(101) };
  client.connect({ clientId: 'a', will });
  client.expectRefused(0x95);
});

test('[MQTT5-3.1.2-24] [MQTT5-3.1.2-25] a message too large for the client is dropped as if it were delivered', () => {
  const world = new World();
  const connect = () =>
    world.connect('a', {
      clean: false,
      properties: { maximumPacketSize: 50, receiveMaximum: 1, sessionExpiryInterval: 60 },
    });
  const client = connect();
  client.subscribe(['t']);
  const publisher = world.connect('p');
  for (const qos of [0, 1, 2]) {
    publisher.publish('t', 'x'.repeat(60), { qos });
    client.expectNothing();
    publisher.publish('t', 'fits', { qos });
    assert.deepEqual(client.payloads(), ['fits']);
  }
  client.lose();
  publisher.publish('t', 'x'.repeat(60), { qos: 1 });
  publisher.publish('t', 'later', { qos: 1 });
  const back = connect();
  assert.deepEqual(back.payloads(), ['later']);
});

test('[MQTT5-3.1.2-24] a message of exactly the maximum size is delivered, one byte more is not', () => {
  const message = wire.publish(5, { topic: 't', payload: 'x'.repeat(100) });
  for (const [maximumPacketSize, expected] of [
    [message.length, 1],
    [message.length - 1, 0],
  ] as const) {
    const world = new World();
    const client = world.connect('a', { properties: { maximumPacketSize } });
    client.subscribe(['t']);
    world.connect('p').publish('t', 'x'.repeat(100));
    assert.equal(client.messages().length, expected);
  }
});

/** A broker that denies everything, so that each of its answers could carry a Reason String. */
function denyAll(): World {
  return new World(
    {},
    {
      authorizer: {
        permissive: false,
        provesUsers: false,
        authenticate: () => ({ reasonCode: 0 }),
        mayPublish: () => false,
        subscriptionRefusal: () => 0x87,
        mayReceive: () => true,
        mayReceiveAll: () => true,
        isStillAuthorized: () => true,
        work: 0,
      },
    },
  );
}

/** Makes the broker send each kind of answer, with an error where there is one. */
function provokeAnswers(client: TestClient): wire.Packet[] {
  client.send(wire.subscribe(5, 1, ['t', 'a']));
  client.send(wire.unsubscribe(5, 2, ['t']));
  client.send(wire.publish(5, { topic: 't', qos: 1, id: 3 }));
  client.send(wire.publish(5, { topic: 't', qos: 2, id: 4 }));
  client.send(wire.ack('pubrel', 5));
  client.send(wire.ack('pubrec', 6));
  return client.inbox.splice(0);
}

test('[MQTT5-3.1.2-29] with request problem information 0 only CONNACK and DISCONNECT may carry a reason string or user properties', () => {
  const client = denyAll().connect('a', { properties: { requestProblemInformation: 0 } });
  const answers = provokeAnswers(client);
  assert.deepEqual(
    answers.map((packet) => packet.type).filter((type) => type !== 'pubrel'),
    ['suback', 'unsuback', 'puback', 'pubrec', 'pubcomp'],
  );
  for (const { type, properties } of answers) {
    assert.equal('reasonString' in properties, false, type);
    assert.equal('userProperty' in properties, false, type);
  }
});

test("[MQTT5-3.4.2-2] [MQTT5-3.4.2-3] [MQTT5-3.5.2-2] [MQTT5-3.5.2-3] [MQTT5-3.6.2-2] [MQTT5-3.6.2-3] [MQTT5-3.7.2-2] [MQTT5-3.7.2-3] [MQTT5-3.9.2-1] [MQTT5-3.9.2-2] [MQTT5-3.11.2-1] [MQTT5-3.11.2-2] answers omit their Reason String rather than exceed the client's maximum", () => {
  for (let maximumPacketSize = 9; maximumPacketSize < 120; maximumPacketSize += 1) {
    const client = denyAll().connect('a', {
      properties: { maximumPacketSize: Math.max(maximumPacketSize, 40) },
    });
    for (const { type, bytes } of provokeAnswers(client)) {
      assert.ok(bytes.length <= Math.max(maximumPacketSize, 40), type);
    }
  }
  assert.ok(provokeAnswers(denyAll().connect('b')).length >= 5);
});

test("[MQTT5-3.14.2-3] [MQTT5-3.14.2-4] DISCONNECT omits its Reason String rather than exceed the client's maximum", () => {
  for (let maximumPacketSize = 1; maximumPacketSize < 60; maximumPacketSize += 1) {
    const client = new World().open();
    client.connect({ clientId: 'a', properties: { maximumPacketSize } });
    client.send(wire.connect({ clientId: 'a' }));
    assert.ok(client.closed);
  }
});

test('[MQTT5-3.1.2-24] a client whose maximum is below its SUBACK is disconnected, and packets that fit are sent', () => {
  const client = new World().connect('a', { properties: { maximumPacketSize: 40 } });
  const filters = Array.from({ length: 60 }, (_, i) => `t/${i}`);
  client.send(wire.subscribe(5, 1, filters.slice(0, 30)));
  assert.equal(client.expect('suback').reasons.length, 30);
  client.send(wire.subscribe(5, 2, filters));
  client.expectEnded(0x95);
});

test("[MQTT5-3.2.2-19] [MQTT5-3.2.2-20] a refusing CONNACK omits its Reason String rather than exceed the client's maximum", () => {
  const client = new World().open();
  client.connect({
    clientId: 'a',
    properties: { maximumPacketSize: 12, authenticationMethod: 'x' },
  });
  assert.ok(client.connack.bytes.length <= 12);
  client.expectRefused(0x8c);
});

test('a CONNECT is limited to 128 KiB, later packets to the packet size', () => {
  const world = new World();
  const payload = Buffer.alloc(60_000);
  const fields = { will: { topic: 'w', payload }, password: 'p'.repeat(60_000), username: 'u' };
  const client = world.connect('a', fields);
  client.publish('a', 'x'.repeat(500_000), { qos: 1 });
  const large = world.open();
  large.send(Buffer.from([0x10, 0x81, 0x80, 0x08]));
  assert.equal(large.closed, true);
});
