// Sessions: Clean Start, Session Present, expiry and the state that an absent client has (MQTT 5.0
// 3.1.2.4, 3.1.2.11.2, 3.14.2.2.2, 4.1; MQTT 3.1.1 3.1.2.4, 4.1), and DISCONNECT.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const SECOND = 1000;
const NEVER = 0xffff_ffff;

/** A client whose session outlives its connection, by the means of its version. */
function persistent(
  world: World,
  clientId: string,
  version: wire.Version,
  clean = false,
): TestClient {
  const properties = version === 5 ? { sessionExpiryInterval: 3600 } : {};
  return world.connect(clientId, { version, clean, properties });
}

eachVersion(
  '[MQTT3-3.1.2-4] [MQTT3-3.1.2-5] [MQTT3-3.1.3-2] [MQTT3-3.2.2-2] [MQTT3-3.2.2-3] [MQTT3-4.1.0-1] [MQTT5-3.1.2-5] [MQTT5-3.1.2-6] [MQTT5-3.1.2-23] [MQTT5-3.1.3-2] [MQTT5-3.2.2-3] a resumed session has its subscriptions and the messages that arrived meanwhile',
  (version) => {
    const world = new World();
    const first = persistent(world, 'a', version);
    assert.equal(first.connack.sessionPresent, false);
    first.subscribe(['t', 'u/#']);
    first.lose();
    const publisher = world.connect('p');
    publisher.publish('t', '1', { qos: 1 });
    publisher.publish('u/v', '2', { qos: 2 });
    const second = persistent(world, 'a', version);
    assert.equal(second.connack.sessionPresent, true);
    assert.deepEqual(second.payloads(), ['1', '2']);
    publisher.publish('t', '3', { qos: 1 });
    assert.deepEqual(second.payloads(), ['3']);
    const other = persistent(world, 'b', version);
    assert.equal(other.connack.sessionPresent, false);
    other.expectNothing();
  },
);

eachVersion(
  '[MQTT3-3.1.2-6] [MQTT3-3.1.4-3] [MQTT3-3.2.2-1] [MQTT5-3.1.2-4] [MQTT5-3.1.4-4] [MQTT5-3.2.2-2] a clean start drops the former session',
  (version) => {
    const world = new World();
    const first = persistent(world, 'a', version);
    first.subscribe(['t']);
    first.lose();
    const publisher = world.connect('p');
    publisher.publish('t', '1', { qos: 1 });
    const second = persistent(world, 'a', version, true);
    assert.equal(second.connack.sessionPresent, false);
    publisher.publish('t', '2', { qos: 1 });
    second.expectNothing();
  },
);

eachVersion('a session that is not persistent ends with its connection', (version) => {
  const world = new World();
  const first = world.connect('a', { version, clean: true });
  first.subscribe(['t']);
  first.lose();
  world.connect('p').publish('t', '1', { qos: 1 });
  const second = persistent(world, 'a', version);
  assert.equal(second.connack.sessionPresent, false);
  second.expectNothing();
});

eachVersion(
  '[MQTT3-4.1.0-2] [MQTT5-4.1.0-1] a session lasts as long as its connection, however long that is',
  (version) => {
    const world = new World();
    const properties: wire.Properties = version === 5 ? { sessionExpiryInterval: 1 } : {};
    const client = world.connect('a', { version, properties });
    client.subscribe(['t']);
    world.advance(100_000 * SECOND);
    world.connect('p').publish('t', 'x', { qos: 1 });
    assert.deepEqual(client.payloads(), ['x']);
  },
);

eachVersion('a takeover hands the session to the newer connection', (version) => {
  const world = new World();
  const first = persistent(world, 'a', version);
  first.subscribe(['t']);
  const second = persistent(world, 'a', version);
  assert.equal(second.connack.sessionPresent, true);
  world.connect('p').publish('t', 'x', { qos: 1 });
  assert.deepEqual(second.payloads(), ['x']);
});

eachVersion('a session can be resumed with another protocol version', (version) => {
  const world = new World();
  const first = persistent(world, 'a', version);
  first.subscribe(['t']);
  first.lose();
  const publisher = world.connect('p');
  publisher.publish('t', 'x', { qos: 1, properties: { contentType: 'text' } });
  const second = persistent(world, 'a', version === 4 ? 5 : 4);
  assert.equal(second.connack.sessionPresent, true);
  assert.deepEqual(second.payloads(), ['x']);
});

test('[MQTT5-4.1.0-2] a session ends when its expiry interval has passed after the close', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: 60 };
  const connect = () => world.connect('a', { clean: false, properties });
  const first = connect();
  world.advance(1000 * SECOND);
  first.lose();
  world.advance(59 * SECOND);
  const second = connect();
  assert.equal(second.connack.sessionPresent, true);
  second.lose();
  world.advance(61 * SECOND);
  assert.equal(connect().connack.sessionPresent, false);
});

test('a session that was resumed in time does not end with its former interval', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: 60 };
  world.connect('a', { properties }).lose();
  const second = world.connect('a', { clean: false, properties });
  second.subscribe(['t']);
  world.advance(100 * SECOND);
  world.connect('p').publish('t', 'x', { qos: 1 });
  assert.deepEqual(second.payloads(), ['x']);
  second.lose();
  assert.equal(world.connect('a', { clean: false, properties }).connack.sessionPresent, true);
});

test('a session without an expiry interval ends with its connection, clean start or not', () => {
  const world = new World();
  world.connect('a', { clean: false }).lose();
  assert.equal(world.connect('a', { clean: false }).connack.sessionPresent, false);
});

test('a session with the largest expiry interval never ends', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: NEVER };
  world.connect('a', { properties }).lose();
  world.advance(10 * 365 * 86_400 * SECOND);
  assert.equal(world.connect('a', { clean: false, properties }).connack.sessionPresent, true);
});

test('a session of 3.1.1 with CleanSession 0 never expires by itself', () => {
  const world = new World();
  world.connect('a', { version: 4, clean: false }).lose();
  world.advance(365 * 86_400 * SECOND);
  assert.equal(world.connect('a', { version: 4, clean: false }).connack.sessionPresent, true);
});

test('DISCONNECT changes the session expiry interval', () => {
  const world = new World();
  const connect = () =>
    world.connect('a', { clean: false, properties: { sessionExpiryInterval: 60 } });
  connect().leave(0x00, { sessionExpiryInterval: 10 });
  world.advance(11 * SECOND);
  const second = connect();
  assert.equal(second.connack.sessionPresent, false);
  second.leave(0x00, { sessionExpiryInterval: 600 });
  world.advance(500 * SECOND);
  const third = connect();
  assert.equal(third.connack.sessionPresent, true);
  third.leave(0x00, { sessionExpiryInterval: 0 });
  assert.equal(connect().connack.sessionPresent, false);
});

test('DISCONNECT cannot set an expiry interval if CONNECT had none', () => {
  const client = new World().connect('a');
  client.send(wire.disconnect(0x00, { sessionExpiryInterval: 10 }));
  client.expectEnded(0x82);
});

test('a session expiry interval above the maximum is reduced, and CONNACK contains the new one', () => {
  const world = new World({ sessionExpirySecondsMax: 100 });
  const connect = (sessionExpiryInterval: number) =>
    world.connect('a', { clean: false, properties: { sessionExpiryInterval } });
  const long = connect(NEVER);
  assert.equal(long.connack.properties.sessionExpiryInterval, 100);
  long.lose();
  world.advance(101 * SECOND);
  const short = connect(50);
  assert.equal(short.connack.sessionPresent, false);
  assert.equal(short.connack.properties.sessionExpiryInterval, undefined);
});

eachVersion(
  '[MQTT3-3.1.2-7] retained messages outlive the session that published them',
  (version) => {
    const world = new World();
    const publisher = world.connect('p', { version });
    publisher.publish('t', 'kept', { retain: true });
    publisher.leave();
    world.connect('p', { version }).leave();
    const late = world.connect('a', { version });
    late.subscribe(['t']);
    assert.deepEqual(late.payloads(), ['kept']);
  },
);

eachVersion(
  '[MQTT3-3.14.4-1] [MQTT3-3.14.4-2] [MQTT5-3.14.4-1] [MQTT5-3.14.4-2] after DISCONNECT no packet is processed and the connection is closed',
  (version) => {
    const world = new World();
    const watcher = world.connect('w');
    watcher.subscribe(['#']);
    const client = world.connect('a', { version });
    client.send(Buffer.concat([wire.disconnect(), wire.publish(version, { topic: 't' })]));
    assert.ok(client.closed);
    assert.equal(client.inbox.length, 0, 'DISCONNECT is not answered');
    watcher.expectNothing();
  },
);

eachVersion(
  '[MQTT3-3.14.1-1] [MQTT5-3.14.1-1] DISCONNECT with reserved bits set ends the connection as malformed',
  (version) => {
    const world = new World();
    const watcher = world.connect('w');
    watcher.subscribe(['w']);
    const client = world.connect('a', { version, will: { topic: 'w', payload: 'will' } });
    client.send(wire.packet(0xe1));
    client.expectEnded(0x81);
    assert.deepEqual(watcher.payloads(), ['will'], 'it was no DISCONNECT');
  },
);

test('[MQTT5-3.14.2-1] [MQTT5-3.14.2-2] the DISCONNECT of the broker has a listed reason and no session expiry interval', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: 60 };
  const client = world.connect('a', { properties });
  world.connect('a', { properties });
  const last = client.expect('disconnect');
  assert.equal(last.reason, 0x8e);
  assert.equal('sessionExpiryInterval' in last.properties, false);
});

test('DISCONNECT may carry its properties, and an unlisted reason is a protocol error', () => {
  const world = new World();
  const properties: wire.Properties = {
    reasonString: 'bye',
    serverReference: 'elsewhere',
    userProperty: [['a', 'b']],
  };
  const client = world.connect('a');
  client.send(wire.disconnect(0x00, properties));
  assert.ok(client.closed);
  assert.equal(client.inbox.length, 0);
  for (const reason of [0x01, 0x05, 0xff]) {
    const other = world.connect('b');
    other.send(wire.disconnect(reason));
    other.expectEnded();
  }
});

eachVersion('sessions leave no memory behind when clients connect and disconnect', (version) => {
  const world = new World({ sysIntervalSeconds: 0 });
  for (let i = 0; i < 50; i += 1) {
    const client = world.connect(`c${i}`, { version });
    client.subscribe([`t/${i}/#`]);
    client.lose();
  }
  world.advance(3600 * SECOND);
  assert.equal(world.broker.nextDeadline(), Number.POSITIVE_INFINITY);
});
