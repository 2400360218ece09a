// The delivery protocols of QoS 1 and 2, from the client to the broker and from the broker to the
// client, without and with a reconnect (MQTT 5.0 4.3, 4.4, 2.2.1; MQTT 3.1.1 4.3, 4.4, 2.3.1).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const SECOND = 1000;

function resume(world: World, clientId: string, version: wire.Version): TestClient {
  const properties = version === 5 ? { sessionExpiryInterval: 3600 } : {};
  return world.connect(clientId, { version, clean: false, properties });
}

function subscriber(world: World, version: wire.Version, qos = 2): TestClient {
  const client = resume(world, 'sub', version);
  client.subscribe([{ filter: 't', qos }]);
  return client;
}

const summary = (packets: wire.Packet[]): string[] =>
  packets.map((p) => `${p.type} ${p.payload || p.id}${p.dup ? ' dup' : ''}`);

eachVersion(
  '[MQTT3-2.3.1-6] [MQTT3-4.3.2-2] [MQTT5-2.2.1-5] [MQTT5-4.3.2-4] [MQTT5-4.3.2-5] [MQTT5-3.4.2-1] PUBACK has the identifier of its PUBLISH, and after it the same identifier is a new message even with DUP',
  (version) => {
    const world = new World();
    const sub = subscriber(world, version);
    const pub = world.connect('pub', { version });
    for (const dup of [false, false, true]) {
      pub.send(wire.publish(version, { topic: 't', payload: 'x', qos: 1, id: 65535, dup }));
      const puback = pub.expect('puback');
      assert.equal(puback.id, 65535);
      assert.equal(puback.reason, 0);
    }
    assert.equal(sub.payloads().length, 3);
  },
);

eachVersion(
  '[MQTT3-4.3.3-2] [MQTT5-4.3.3-8] [MQTT5-4.3.3-10] [MQTT5-4.3.3-11] [MQTT5-4.3.3-12] [MQTT5-3.5.2-1] [MQTT5-3.7.2-1] a QoS 2 PUBLISH repeated before PUBREL is delivered once, and after PUBCOMP its identifier is free',
  (version) => {
    const world = new World();
    const sub = subscriber(world, version);
    const pub = world.connect('pub', { version });
    const bytes = (dup: boolean) =>
      wire.publish(version, { topic: 't', payload: 'x', qos: 2, id: 5, dup });
    pub.send(bytes(false));
    assert.equal(pub.expect('pubrec').id, 5);
    pub.send(bytes(true));
    assert.equal(pub.expect('pubrec').id, 5);
    pub.send(wire.ack('pubrel', 5));
    assert.equal(pub.expect('pubcomp').id, 5);
    assert.equal(sub.payloads().length, 1);
    pub.send(bytes(true));
    pub.expect('pubrec');
    pub.send(wire.ack('pubrel', 5));
    pub.expect('pubcomp');
    assert.equal(sub.payloads().length, 1);
    pub.expectNothing();
  },
);

eachVersion(
  'a QoS 2 PUBLISH is delivered exactly once over reconnects of its publisher',
  (version) => {
    const world = new World();
    const sub = subscriber(world, version);
    const bytes = (dup: boolean) =>
      wire.publish(version, { topic: 't', payload: 'x', qos: 2, id: 5, dup });
    let pub = resume(world, 'pub', version);
    pub.send(bytes(false));
    pub.expect('pubrec');
    for (let i = 0; i < 3; i += 1) {
      pub.lose();
      world.advance(10 * SECOND);
      pub = resume(world, 'pub', version);
      pub.send(bytes(true));
      assert.equal(pub.expect('pubrec').id, 5);
    }
    pub.send(wire.ack('pubrel', 5));
    pub.expect('pubcomp');
    pub.lose();
    pub = resume(world, 'pub', version);
    pub.send(wire.ack('pubrel', 5));
    assert.equal(pub.expect('pubcomp').id, 5, 'PUBREL repeated is answered');
    assert.equal(sub.payloads().length, 1);
  },
);

test('PUBREL for an unknown identifier is answered with 0x92', () => {
  const client = new World().connect('a');
  client.send(wire.ack('pubrel', 77));
  const pubcomp = client.expect('pubcomp');
  assert.equal(pubcomp.id, 77);
  assert.equal(pubcomp.reason, 0x92);
});

eachVersion(
  '[MQTT3-4.8.0-1] [MQTT5-4.13.1-1] an acknowledgement of the wrong type ends the connection and not the delivery',
  (version) => {
    const wrong = [
      [1, 'pubrec'],
      [1, 'pubcomp'],
      [2, 'puback'],
      [2, 'pubcomp'],
    ] as const;
    for (const [qos, type] of wrong) {
      const world = new World();
      const sub = subscriber(world, version);
      world.connect('pub').publish('t', 'x', { qos });
      sub.send(wire.ack(type, sub.expect('publish').id));
      sub.expectEnded(0x82);
      assert.deepEqual(resume(world, 'sub', version).payloads(), ['x']);
    }
    const world = new World();
    const sub = subscriber(world, version);
    world.connect('pub').publish('t', 'x', { qos: 2 });
    const { id } = sub.expect('publish');
    for (let i = 0; i < 2; i += 1) {
      sub.send(wire.ack('pubrec', id));
      assert.equal(sub.expect('pubrel').id, id, 'PUBREC may be repeated');
    }
    sub.send(wire.ack('puback', id));
    sub.expectEnded(0x82);
  },
);

eachVersion('acknowledgements of messages that were never sent have no effect', (version) => {
  const world = new World();
  const client = resume(world, 'a', version);
  client.subscribe(['t']);
  client.send(wire.ack('puback', 1), wire.ack('pubcomp', 2));
  assert.equal(client.inbox.length, 0);
  // The client waits for PUBREL, so it gets one; a PUBREC with an error ends the exchange by itself.
  client.send(wire.ack('pubrec', 3));
  const pubrel = client.expect('pubrel');
  assert.deepEqual([pubrel.id, pubrel.reason], [3, version === 5 ? 0x92 : 0]);
  client.send(wire.ack('pubcomp', 3));
  if (version === 5) client.send(wire.ack('pubrec', 4, 0x80));
  client.expectNothing();
  world.connect('p').publish('t', 'x', { qos: 1 });
  assert.deepEqual(client.payloads(), ['x']);
});

eachVersion(
  '[MQTT3-4.3.2-1] [MQTT5-4.3.2-1] [MQTT5-4.3.2-2] [MQTT5-4.3.2-3] [MQTT3-4.4.0-1] [MQTT5-4.4.0-1] [MQTT3-3.3.1-1] [MQTT5-3.3.1-1] [MQTT3-2.3.1-4] a QoS 1 message is resent with its identifier and DUP when the session is resumed, until PUBACK, and at no other time',
  (version) => {
    const world = new World();
    let sub = subscriber(world, version);
    world.connect('pub').publish('t', 'x', { qos: 1 });
    const first = sub.expect('publish');
    assert.ok(first.id > 0);
    assert.equal(first.dup, false);
    world.advance(1000 * SECOND);
    sub.send(wire.PINGREQ);
    sub.expect('pingresp');
    sub.expectNothing();
    for (let i = 0; i < 2; i += 1) {
      sub.lose();
      sub = resume(world, 'sub', version);
      const again = sub.expect('publish');
      assert.deepEqual([again.id, again.dup, again.payload], [first.id, true, 'x']);
    }
    sub.send(wire.ack('puback', first.id));
    sub.lose();
    sub = resume(world, 'sub', version);
    sub.expectNothing();
  },
);

eachVersion(
  '[MQTT3-4.3.3-1] [MQTT5-4.3.3-1] [MQTT5-4.3.3-2] [MQTT5-4.3.3-3] [MQTT5-4.3.3-4] [MQTT5-4.3.3-5] [MQTT5-4.3.3-6] [MQTT5-3.6.2-1] a QoS 2 delivery resumes where it was: PUBLISH until PUBREC, then PUBREL until PUBCOMP',
  (version) => {
    const world = new World();
    let sub = subscriber(world, version);
    world.connect('pub').publish('t', 'x', { qos: 2 });
    const { id, dup } = sub.expect('publish');
    assert.equal(dup, false);
    sub.lose();
    sub = resume(world, 'sub', version);
    assert.deepEqual(summary(sub.inbox.splice(0)), ['publish x dup']);
    sub.send(wire.ack('pubrec', id));
    assert.equal(sub.expect('pubrel').id, id);
    for (let i = 0; i < 2; i += 1) {
      sub.lose();
      sub = resume(world, 'sub', version);
      assert.deepEqual(summary(sub.inbox.splice(0)), [`pubrel ${id}`]);
    }
    sub.send(wire.ack('pubcomp', id));
    sub.expectNothing();
    sub.lose();
    sub = resume(world, 'sub', version);
    sub.expectNothing();
  },
);

eachVersion(
  '[MQTT3-4.6.0-1] [MQTT5-4.6.0-1] resent messages keep their first order, and queued messages follow',
  (version) => {
    const world = new World();
    let sub = subscriber(world, version);
    const pub = world.connect('pub');
    for (const n of [1, 2, 3, 4]) pub.publish('t', `${n}`, { qos: n % 2 === 0 ? 2 : 1 });
    const sent = sub.inbox.splice(0);
    sub.send(wire.ack('pubrec', sent[1]?.id ?? 0));
    sub.expect('pubrel');
    sub.lose();
    pub.publish('t', '5', { qos: 1 });
    sub = resume(world, 'sub', version);
    const again = sub.inbox.splice(0);
    assert.deepEqual(summary(again.filter((p) => p.type === 'publish')), [
      'publish 1 dup',
      'publish 3 dup',
      'publish 4 dup',
      'publish 5',
    ]);
    assert.deepEqual(summary(again.filter((p) => p.type === 'pubrel')), [`pubrel ${sent[1]?.id}`]);
  },
);

eachVersion(
  '[MQTT3-4.6.0-2] [MQTT3-4.6.0-3] [MQTT3-4.6.0-4] [MQTT5-4.6.0-2] [MQTT5-4.6.0-3] [MQTT5-4.6.0-4] the broker acknowledges in the order of the packets it received',
  (version) => {
    const world = new World();
    const pub = world.connect('pub', { version });
    const ids = [9, 3, 7, 1];
    for (const qos of [1, 2]) {
      pub.send(
        Buffer.concat(
          ids.map((id) => wire.publish(version, { topic: 'x', qos, id: id + qos * 10 })),
        ),
      );
      assert.deepEqual(
        pub.inbox.splice(0).map((p) => p.id - qos * 10),
        ids,
      );
    }
    const sub = subscriber(world, version);
    for (const n of [1, 2, 3]) world.connect(`p${n}`).publish('t', `${n}`, { qos: 2 });
    const messages = sub.inbox.splice(0).toReversed();
    for (const { id } of messages) sub.send(wire.ack('pubrec', id));
    assert.deepEqual(
      sub.inbox.map((p) => [p.type, p.id]),
      messages.map(({ id }) => ['pubrel', id]),
    );
  },
);

eachVersion(
  '[MQTT3-2.3.1-4] [MQTT5-2.2.1-4] a packet identifier in use is never assigned to another message',
  (version) => {
    const world = new World({ inflightMax: 65_535 });
    const sub = subscriber(world, version, 1);
    const pub = world.connect('pub', { version });
    // One more than there are identifiers; that each is free is checked as it comes.
    for (let i = 0; i <= 65_535; i += 1) {
      pub.send(wire.publish(version, { topic: 't', qos: 1, id: 1 }));
    }
    assert.equal(sub.inbox.length, 65_535);
    const { id } = sub.inbox[40_000] ?? { id: 0 };
    sub.inbox.length = 0;
    sub.send(wire.ack('puback', id));
    assert.equal(sub.expect('publish').id, id, 'the one that is free');
    sub.expectNothing();
  },
);

test('[MQTT5-4.4.0-2] PUBACK and PUBREC with an error end a delivery: nothing is resent', () => {
  const world = new World();
  let sub = subscriber(world, 5);
  const pub = world.connect('pub');
  pub.publish('t', '1', { qos: 1 });
  pub.publish('t', '2', { qos: 2 });
  for (const message of sub.inbox.splice(0)) {
    sub.send(wire.ack(message.qos === 1 ? 'puback' : 'pubrec', message.id, 0x83));
  }
  sub.expectNothing();
  sub.lose();
  sub = resume(world, 'sub', 5);
  sub.expectNothing();
});

test('PUBREC with a reason below 0x80 continues the delivery, whatever its properties', () => {
  const world = new World();
  const sub = subscriber(world, 5);
  world.connect('pub').publish('t', 'x', { qos: 2 });
  const { id } = sub.expect('publish');
  sub.send(wire.ack('pubrec', id, 0x10, { reasonString: 'r', userProperty: [['a', 'b']] }));
  assert.equal(sub.expect('pubrel').id, id);
  sub.send(wire.ack('pubcomp', id, 0x00, {}));
  sub.expectNothing();
});

test('[MQTT5-4.3.3-9] after a PUBREC with an error the same identifier is a new message', () => {
  const world = new World({}, { authorizer: { ...denyTopic('forbidden') } });
  const sub = world.connect('sub');
  sub.subscribe(['#']);
  const pub = world.connect('pub');
  pub.send(wire.publish(5, { topic: 'forbidden', payload: 'x', qos: 2, id: 1 }));
  assert.equal(pub.expect('pubrec').reason, 0x87);
  pub.send(wire.publish(5, { topic: 'allowed', payload: 'y', qos: 2, id: 1 }));
  assert.equal(pub.expect('pubrec').reason, 0);
  pub.send(wire.ack('pubrel', 1));
  assert.equal(pub.expect('pubcomp').reason, 0);
  assert.deepEqual(sub.payloads(), ['y']);
});

test('[MQTT3-3.3.5-2] in MQTT 3 a denied PUBLISH is acknowledged as usual and not delivered', () => {
  const world = new World({}, { authorizer: denyTopic('forbidden') });
  const sub = world.connect('sub');
  sub.subscribe(['#']);
  const pub = world.connect('pub', { version: 4 });
  pub.publish('forbidden', 'x');
  for (const qos of [1, 2]) {
    if (!pub.closed) pub.send(wire.publish(4, { topic: 'forbidden', qos, id: qos }));
  }
  if (!pub.closed) {
    assert.deepEqual(
      pub.inbox.map((p) => p.type),
      ['puback', 'pubrec'],
    );
  }
  sub.expectNothing();
});

test('in MQTT 5 a denied PUBLISH is answered with 0x87', () => {
  const world = new World({}, { authorizer: denyTopic('forbidden') });
  const pub = world.connect('pub');
  assert.equal(pub.publish('forbidden', 'x', { qos: 1 })?.reason, 0x87);
  assert.ok((pub.publish('allowed', 'x', { qos: 1 })?.reason ?? 0x80) < 0x80);
});

function denyTopic(denied: string) {
  return {
    permissive: false,
    provesUsers: false,
    authenticate: () => ({ reasonCode: 0 }),
    mayPublish: (_identity: unknown, topic: string) => topic !== denied,
    subscriptionRefusal: () => 0,
    mayReceive: () => true,
    mayReceiveAll: () => true,
    isStillAuthorized: () => true,
    work: 0,
  };
}

eachVersion(
  '[MQTT3-3.6.1-1] [MQTT5-3.6.1-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2] [MQTT5-2.1.3-1] packets with wrong flag bits end the connection',
  (version) => {
    const id = wire.u16(1);
    const topic = Buffer.concat([wire.text('t'), Buffer.from([0])]);
    const properties = wire.properties(version);
    for (const bytes of [
      wire.packet(0x60, id),
      wire.packet(0x63, id),
      wire.packet(0x41, id),
      wire.packet(0x52, id),
      wire.packet(0x78, id),
      wire.packet(0x80, id, properties, topic),
      wire.packet(0x83, id, properties, topic),
      wire.packet(0xa0, id, properties, wire.text('t')),
      wire.packet(0xc1),
    ]) {
      const client = new World().connect('a', { version });
      client.send(bytes);
      client.expectEnded(0x81);
    }
  },
);
