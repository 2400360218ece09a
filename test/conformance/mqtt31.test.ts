// MQTT 3.1: where its text calls a bit "not used" or lets a field be missing, 3.1.1 ends the
// connection and 3.1 does not. Source: MQTT V3.1 Protocol Specification, IBM and Eurotech, 2010.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const RETAIN = 0x01;
const QOS_1 = 0x02;
const QOS_2 = 0x04;
const DUP = 0x08;
const CLEAN = 0x02;
const WILL = 0x04;
const WILL_QOS_2 = 0x10;
const WILL_QOS_3 = 0x18;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;

/** The packet with these bits of its first byte flipped. */
function flipped(packet: Buffer, bits: number): Buffer {
  const copy = Buffer.from(packet);
  copy[0] = copy.readUInt8(0) ^ bits;
  return copy;
}

/** The packet with its Remaining Length in one byte more than needed. */
function padded(packet: Buffer): Buffer {
  assert.ok(packet.readUInt8(1) < 0x80);
  const head = Buffer.from([packet.readUInt8(0), packet.readUInt8(1) | 0x80, 0]);
  return Buffer.concat([head, packet.subarray(2)]);
}

const connect = (fields: wire.ConnectFields = {}): Buffer =>
  wire.connect({ version: 3, clientId: 'old', ...fields });

const CONNECTS: [string, Buffer][] = [
  ['DUP in the fixed header', flipped(connect(), DUP)],
  ['QoS in the fixed header', flipped(connect(), QOS_1)],
  ['RETAIN in the fixed header', flipped(connect(), RETAIN)],
  ['the reserved Connect Flag', connect({ flags: CLEAN | 0x01 })],
  ['Will QoS without a will', connect({ flags: CLEAN | WILL_QOS_2 })],
  ['Will QoS 3 without a will', connect({ flags: CLEAN | WILL_QOS_3 })],
  ['Will Retain without a will', connect({ flags: CLEAN | WILL_RETAIN })],
  ['a user name that is announced and missing', connect({ flags: CLEAN | USER_NAME })],
  [
    'a password that is announced and missing',
    connect({ username: 'u', flags: CLEAN | USER_NAME | PASSWORD }),
  ],
  [
    'user name and password that are announced and missing',
    connect({ flags: CLEAN | USER_NAME | PASSWORD }),
  ],
  ['bytes behind the last field', connect({ tail: Buffer.from([0, 1, 0x78]) })],
  ['a Remaining Length in more bytes than needed', padded(connect())],
];

for (const [what, bytes] of CONNECTS) {
  test(`MQTT 3.1: CONNECT with ${what} is accepted`, () => {
    const client = new World().open(3);
    client.send(bytes);
    assert.equal(client.expect('connack').reason, 0);
    assert.ok(!client.closed);
  });
}

const REQUESTS: [string, Buffer, string][] = [
  ['SUBSCRIBE with RETAIN', flipped(wire.subscribe(3, 1, ['t']), RETAIN), 'suback'],
  ['SUBSCRIBE with DUP', flipped(wire.subscribe(3, 1, ['t']), DUP), 'suback'],
  ['SUBSCRIBE with QoS 0', flipped(wire.subscribe(3, 1, ['t']), QOS_1), 'suback'],
  [
    'SUBSCRIBE with the upper bits of a requested QoS',
    wire.packet(0x82, [0, 1, 0, 1, 0x74, 0xfd]),
    'suback',
  ],
  ['UNSUBSCRIBE with RETAIN', flipped(wire.unsubscribe(3, 1, ['t']), RETAIN), 'unsuback'],
  ['UNSUBSCRIBE with DUP', flipped(wire.unsubscribe(3, 1, ['t']), DUP), 'unsuback'],
  ['PUBREL with RETAIN', flipped(wire.ack('pubrel', 1), RETAIN), 'pubcomp'],
  ['PUBREL with QoS 3', flipped(wire.ack('pubrel', 1), QOS_2), 'pubcomp'],
  ['PUBREL with DUP', flipped(wire.ack('pubrel', 1), DUP), 'pubcomp'],
  ['PINGREQ with flags', Buffer.from([0xc0 | DUP | QOS_1 | RETAIN, 0]), 'pingresp'],
  ['PUBREC with flags', flipped(wire.ack('pubrec', 9), DUP | QOS_1), 'pubrel'],
  ['a Remaining Length in more bytes than needed', padded(wire.subscribe(3, 1, ['t'])), 'suback'],
];

for (const [what, bytes, answer] of REQUESTS) {
  test(`MQTT 3.1: ${what} is answered with ${answer.toUpperCase()}`, () => {
    const client = new World().connect('old', { version: 3 });
    client.send(bytes);
    client.expect(answer);
    client.expectNothing();
  });
}

test('MQTT 3.1: PUBACK and PUBCOMP with flags end their exchange', () => {
  const world = new World({ receiveMaximum: 1 });
  const client = world.connect('old', { version: 3 });
  client.subscribe([{ filter: 't', qos: 2 }]);
  const publisher = world.connect('p');
  publisher.publish('t', 'one', { qos: 1 });
  client.send(flipped(wire.ack('puback', client.expect('publish').id ?? 0), DUP | RETAIN));
  publisher.publish('t', 'two', { qos: 2 });
  const id = client.expect('publish').id ?? 0;
  client.send(flipped(wire.ack('pubrec', id), RETAIN));
  client.expect('pubrel');
  client.send(flipped(wire.ack('pubcomp', id), DUP | QOS_1));
  assert.ok(!client.closed);
  client.expectNothing();
});

test('MQTT 3.1: DISCONNECT with flags withdraws the will', () => {
  const world = new World();
  const watcher = world.connect('watcher');
  watcher.subscribe(['will']);
  const client = world.connect('old', { version: 3, will: { topic: 'will' } });
  client.send(Buffer.from([0xe0 | RETAIN | QOS_1, 0]));
  assert.ok(client.closed);
  watcher.expectNothing();
});

test('MQTT 3.1: PUBLISH of QoS 0 with DUP is delivered, without DUP', () => {
  const world = new World();
  const subscribers = [world.connect('s3', { version: 3 }), world.connect('s5')];
  for (const subscriber of subscribers) subscriber.subscribe([{ filter: 't', qos: 0 }]);
  const client = world.connect('old', { version: 3 });
  client.send(wire.publish(3, { topic: 't', payload: 'x', dup: true }));
  for (const subscriber of subscribers) {
    const { payload, dup } = subscriber.expect('publish');
    assert.deepEqual([`${payload}`, dup], ['x', false]);
  }
});

test('MQTT 3.1: what is malformed there, too, ends the connection', () => {
  const cases: [string, Buffer][] = [
    ['Will QoS 3', connect({ flags: CLEAN | WILL | WILL_QOS_3, tail: Buffer.from('\0\x01t\0\0') })],
    ['a password without a user name', connect({ flags: CLEAN | PASSWORD, password: 'p' })],
    [
      'a user name that is cut off',
      connect({ flags: CLEAN | USER_NAME, tail: Buffer.from([0, 9]) }),
    ],
  ];
  for (const [what, bytes] of cases) {
    const client = new World().open(3);
    client.send(bytes);
    assert.ok(client.closed, what);
  }
  for (const bytes of [
    wire.packet(0x36, [0, 1, 0x74, 0, 1]),
    wire.packet(0x82, [0, 1, 0, 1, 0x74, 0x03]),
  ]) {
    const client = new World().connect('old', { version: 3 });
    client.send(bytes);
    assert.ok(client.closed, bytes.toString('hex'));
  }
});

for (const version of [3, 4] as const) {
  test(`a PUBLISH with a padded Remaining Length reaches subscribers in the shortest form (level ${version})`, () => {
    const world = new World();
    const subscriber = world.connect('s', { version });
    subscriber.subscribe([{ filter: 't', qos: 0 }]);
    const client = world.connect('old', { version });
    client.send(padded(wire.publish(version, { topic: 't', payload: 'x' })));
    assert.equal(`${subscriber.expect('publish').payload}`, 'x');
  });
}
