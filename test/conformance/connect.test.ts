// CONNECT and CONNACK: chapters 3.1 and 3.2 of both versions. Sessions and wills have files of their
// own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const SECOND = 1000;

eachVersion(
  '[MQTT3-3.1.2-1] [MQTT5-3.1.2-1] [MQTT3-3.2.2-6] a protocol name other than MQTT is never accepted',
  (version) => {
    for (const protocolName of ['hj', 'mqtt', 'MQTTT', 'MQIsdp', '']) {
      const client = new World().open(version);
      client.connect({ clientId: 'a', protocolName });
      assert.ok(client.closed, `${protocolName} is refused`);
      assert.ok(client.inbox.length === 0);
    }
  },
);

test('[MQTT3-3.1.2-2] a protocol level below 4 gets CONNACK 0x01 and the connection ends', () => {
  const client = new World().open(4);
  client.connect({ clientId: 'a', protocolLevel: 2 });
  client.expectRefused(0x01);
});

test('[MQTT3-3.1.2-2] [MQTT5-3.1.2-2] a protocol version above 5 gets CONNACK 0x01, in the form of 3.1.1, and the connection ends', () => {
  const client = new World().open(4);
  client.connect({ version: 5, clientId: 'a', protocolLevel: 6 });
  client.expectRefused(0x01);
});

test('a client of MQTT 3.1 is served', () => {
  const world = new World();
  const old = world.connect('a', { version: 3 });
  assert.deepEqual(old.subscribe(['t']).reasons, [2]);
  world.connect('b').publish('t', 'x', { qos: 1 });
  assert.deepEqual(old.payloads(), ['x']);
});

test('a client of MQTT 3.1 may repeat SUBSCRIBE, UNSUBSCRIBE and PUBREL with DUP', () => {
  const client = new World().connect('a', { version: 3 });
  const repeated = [
    wire.subscribe(3, 1, ['t']),
    wire.ack('pubrel', 2),
    wire.unsubscribe(3, 3, ['t']),
  ];
  for (const bytes of repeated) {
    bytes[0] = bytes.readUInt8(0) | 8;
    client.send(bytes);
  }
  for (const type of ['suback', 'pubcomp', 'unsuback']) client.expect(type);
  client.expectNothing();
});

eachVersion(
  '[MQTT3-3.1.0-1] [MQTT5-3.1.0-1] [MQTT3-3.2.0-1] [MQTT5-3.2.0-1] [MQTT5-3.14.0-1] before CONNECT the broker answers nothing, and every other packet ends the connection',
  (version) => {
    for (const first of [
      wire.PINGREQ,
      wire.publish(version, { topic: 't', qos: 1 }),
      wire.subscribe(version, 1, ['t']),
      wire.disconnect(),
      wire.ack('puback', 1),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([0x00, 0x00]),
    ]) {
      const client = new World().open(version);
      client.send(first);
      assert.ok(client.closed);
      assert.equal(client.inbox.length, 0);
    }
  },
);

eachVersion(
  '[MQTT3-3.1.0-2] [MQTT5-3.1.0-2] [MQTT5-3.2.0-2] a second CONNECT ends the connection',
  (version) => {
    const client = new World().connect('a', { version });
    client.send(wire.connect({ version, clientId: 'a' }));
    client.expectEnded(0x82);
  },
);

eachVersion(
  '[MQTT3-3.1.2-3] [MQTT5-3.1.2-3] [MQTT3-3.1.4-1] [MQTT5-3.1.4-1] [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] [MQTT3-3.1.2-14] [MQTT3-3.1.2-15] [MQTT5-3.1.2-11] [MQTT5-3.1.2-12] [MQTT5-3.1.2-13] CONNECT flags that the specification forbids are refused',
  (version) => {
    const will = { topic: 'w', payload: 'x' };
    const wrong: [string, wire.ConnectFields][] = [
      ['the reserved flag', { flags: 0x03 }],
      ['will QoS 1 without a will', { flags: 0x0a }],
      ['will retain without a will', { flags: 0x22 }],
      ['will QoS 3', { will, flags: 0x1e }],
    ];
    for (const [what, fields] of wrong) {
      const client = new World().open(version);
      client.connect({ clientId: 'a', ...fields });
      assert.ok(client.closed, `${what} is refused`);
      if (version === 5) assert.equal(client.connack.reason, 0x81);
      client.expectRefused();
    }
  },
);

eachVersion(
  '[MQTT3-3.1.2-9] [MQTT5-3.1.2-9] [MQTT3-3.1.2-18] [MQTT3-3.1.2-19] [MQTT3-3.1.2-20] [MQTT3-3.1.2-21] [MQTT5-3.1.2-16] [MQTT5-3.1.2-17] [MQTT5-3.1.2-18] [MQTT5-3.1.2-19] [MQTT3-3.1.3-1] [MQTT3-3.1.3-3] [MQTT5-3.1.3-1] [MQTT5-3.1.3-3] a payload that does not fit its flags is refused',
  (version) => {
    const wrong: [string, wire.ConnectFields][] = [
      ['no will behind the will flag', { flags: 0x06 }],
      ['no user name behind its flag', { flags: 0x82 }],
      ['no password behind its flag', { username: 'u', flags: 0xc2 }],
      ['a user name without its flag', { username: 'u', flags: 0x02 }],
      ['a password without its flag', { username: 'u', password: 'p', flags: 0x82 }],
      ['a byte too many', { tail: Buffer.from([0]) }],
    ];
    for (const [what, fields] of wrong) {
      const client = new World().open(version);
      client.connect({ clientId: 'a', ...fields });
      assert.ok(client.closed, `${what} is refused`);
    }
    const empty = new World().open(version);
    empty.send(wire.packet(0x10, wire.text('MQTT'), [version, 2, 0, 0], version === 5 ? [0] : []));
    assert.ok(empty.closed, 'a CONNECT without a client identifier is refused');
  },
);

test('[MQTT3-3.1.2-22] a password without a user name is refused', () => {
  const client = new World().open(4);
  client.connect({ clientId: 'a', password: 'p' });
  client.expectRefused();
});

test('a password without a user name is allowed by MQTT 5', () => {
  new World().connect('a', { password: 'p' });
});

eachVersion(
  '[MQTT3-3.1.3-4] [MQTT5-3.1.3-4] [MQTT3-3.1.3-10] [MQTT5-3.1.3-11] [MQTT3-3.1.3-11] [MQTT5-3.1.3-12] ill-formed UTF-8 in a CONNECT is refused',
  (version) => {
    for (const bad of [
      [0xff],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0x61, 0x00, 0x62],
      [0xe2, 0x82],
    ]) {
      const text = Buffer.from(bad);
      for (const fields of [
        { clientId: text },
        { clientId: 'a', will: { topic: text } },
        { clientId: 'a', username: text },
      ]) {
        const client = new World().open(version);
        client.connect(fields);
        assert.ok(client.closed);
        if (version === 5) assert.equal(client.connack.reason, 0x81);
      }
    }
  },
);

eachVersion(
  '[MQTT3-3.1.3-5] [MQTT5-3.1.3-5] [MQTT3-3.1.4-4] [MQTT5-3.1.4-5] Client Identifiers of 1 to 23 letters and digits are accepted, and longer ones too',
  (version) => {
    const world = new World();
    for (const clientId of [
      'a',
      '0123456789abcdefghijklm',
      'nopqrstuvwxyzABCDEFGHIJ',
      'KLMNOPQRSTUVWXYZ',
    ]) {
      assert.equal(world.connect(clientId, { version }).connack.sessionPresent, false);
    }
    world.connect('x'.repeat(300), { version });
    world.connect('with / + # and ü', { version });
  },
);

test('[MQTT3-3.1.3-6] clients without a Client Identifier get separate sessions', () => {
  const world = new World();
  const one = world.connect('', { version: 4 });
  const two = world.connect('', { version: 4 });
  one.subscribe(['t']);
  world.connect('p').publish('t', 'x');
  assert.deepEqual(one.payloads(), ['x']);
  two.expectNothing();
});

test('[MQTT3-3.1.3-7] [MQTT3-3.1.3-8] [MQTT3-3.1.3-9] [MQTT3-3.2.2-4] [MQTT3-3.2.2-5] a CONNECT without a Client Identifier and with CleanSession 0 gets CONNACK 0x02', () => {
  const client = new World().open(4);
  client.connect({ clientId: '', clean: false });
  client.expectRefused(0x02);
});

test('[MQTT5-3.1.3-6] [MQTT5-3.1.3-7] [MQTT5-3.2.2-16] a client without a Client Identifier is assigned a unique one, which names its session', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: 60 };
  const one = world.connect('', { clean: false, properties });
  const two = world.connect('', { clean: false, properties });
  const name = one.connack.properties.assignedClientIdentifier;
  assert.ok(typeof name === 'string' && name.length > 0);
  assert.notEqual(name, two.connack.properties.assignedClientIdentifier);
  one.subscribe(['t']);
  one.lose();
  const again = world.connect(name, { clean: false, properties });
  assert.equal(again.connack.sessionPresent, true);
  assert.equal(again.connack.properties.assignedClientIdentifier, undefined);
});

eachVersion(
  '[MQTT3-3.1.3-9] [MQTT5-3.1.3-8] [MQTT5-3.2.2-8] [MQTT5-3.2.2-6] [MQTT5-3.2.2-7] [MQTT5-4.13.2-1] a CONNECT without a Client Identifier is refused if the broker does not allow it',
  (version) => {
    const client = new World({ emptyClientIdAllowed: false }).open(version);
    client.connect({ clientId: '' });
    client.expectRefused(version === 5 ? 0x85 : 0x02);
  },
);

eachVersion(
  '[MQTT3-3.1.4-2] [MQTT5-3.1.4-3] a second connection with the same Client Identifier ends the first',
  (version) => {
    const world = new World();
    const older = world.connect('a', { version });
    const newer = world.connect('a', { version });
    older.expectEnded(0x8e);
    newer.send(wire.PINGREQ);
    newer.expect('pingresp');
  },
);

eachVersion('a client of one protocol version takes over a session of the other', (version) => {
  const world = new World();
  const older = world.connect('a', { version });
  world.connect('a', { version: version === 4 ? 5 : 4 });
  older.expectEnded(0x8e);
});

eachVersion(
  '[MQTT3-3.1.4-5] [MQTT5-3.1.4-6] [MQTT5-3.1.4-2] packets after a refused CONNECT are not processed',
  (version) => {
    const world = new World();
    const watcher = world.connect('w');
    watcher.subscribe(['#']);
    const client = world.open(version);
    const bad = { version, flags: 0x03, clientId: 'a' };
    client.send(Buffer.concat([wire.connect(bad), wire.publish(version, { topic: 't' })]));
    assert.ok(client.closed);
    assert.ok(client.inbox.every(({ type, reason }) => type === 'connack' && reason >= 0x80));
    watcher.expectNothing();
  },
);

eachVersion(
  '[MQTT3-3.1.2-24] [MQTT5-3.1.2-22] [MQTT5-3.2.2-22] silence for one and a half Keep Alive periods ends the connection',
  (version) => {
    const world = new World();
    const silent = world.connect('a', { version, keepAlive: 10 });
    const lively = world.connect('b', { version, keepAlive: 10 });
    const free = world.connect('c', { version, keepAlive: 0 });
    world.advance(9 * SECOND);
    lively.send(wire.PINGREQ);
    world.advance(5.9 * SECOND);
    silent.expectNothing();
    world.advance(0.2 * SECOND);
    silent.expectEnded(0x8d);
    lively.expect('pingresp');
    world.advance(8.8 * SECOND);
    lively.expectNothing();
    world.advance(0.2 * SECOND);
    lively.expectEnded(0x8d);
    world.advance(1_000_000 * SECOND);
    free.expectNothing();
  },
);

eachVersion('every packet of the client restarts its Keep Alive', (version) => {
  const world = new World();
  const client = world.connect('a', { version, keepAlive: 2 });
  for (let i = 0; i < 5; i += 1) {
    world.advance(2.5 * SECOND);
    client.publish('t');
  }
  client.expectNothing();
  world.connect('b', { version }).publish('t');
  world.advance(3.5 * SECOND);
  client.expectEnded(0x8d);
});

test('[MQTT5-3.1.2-21] [MQTT5-3.2.2-21] a Keep Alive that is too long or absent is replaced by the Server Keep Alive', () => {
  const world = new World({ keepAliveSecondsMax: 60 });
  const long = world.connect('a', { keepAlive: 120 });
  const none = world.connect('b', { keepAlive: 0 });
  const short = world.connect('c', { keepAlive: 30 });
  assert.equal(long.connack.properties.serverKeepAlive, 60);
  assert.equal(none.connack.properties.serverKeepAlive, 60);
  assert.equal(short.connack.properties.serverKeepAlive, undefined);
  world.advance(45.1 * SECOND);
  short.expectEnded(0x8d);
  long.expectNothing();
  world.advance(45 * SECOND);
  long.expectEnded(0x8d);
  none.expectEnded(0x8d);
});

test('the longest silence that is allowed holds for MQTT 3.1 and 3.1.1, too, whatever their Keep Alive', () => {
  for (const version of [3, 4] as const) {
    const world = new World({ keepAliveSecondsMax: 60 });
    const clients = [0, 120].map((keepAlive) =>
      world.connect(`k${keepAlive}`, { version, keepAlive }),
    );
    world.advance(89 * SECOND);
    for (const client of clients) assert.ok(!client.closed);
    world.advance(2 * SECOND);
    for (const client of clients) assert.ok(client.closed);
  }
});

eachVersion('a connection without CONNECT ends after the connect timeout', (version) => {
  const world = new World({ connectTimeoutSeconds: 10 });
  const mute = world.open(version);
  const slow = world.open(version);
  const bytes = wire.connect({ version, clientId: 'a' });
  slow.send(bytes.subarray(0, 5));
  world.advance(9.9 * SECOND);
  mute.expectNothing();
  slow.send(bytes.subarray(5, 9));
  world.advance(0.2 * SECOND);
  assert.ok(mute.closed && slow.closed);
  assert.equal(mute.inbox.length + slow.inbox.length, 0);
});

eachVersion('the connect timeout does not end an accepted connection', (version) => {
  const world = new World({ connectTimeoutSeconds: 10 });
  const client = world.connect('a', { version });
  world.advance(60 * SECOND);
  client.expectNothing();
});

eachVersion('a CONNECT that arrives byte by byte is accepted', (version) => {
  const world = new World();
  const client = world.open(version);
  const bytes = wire.connect({ version, clientId: 'a', username: 'u', password: 'p' });
  for (const byte of bytes) {
    assert.equal(client.inbox.length, 0);
    client.send(Buffer.from([byte]));
  }
  assert.equal(client.expect('connack').reason, 0);
});

eachVersion('packets behind CONNECT in the same chunk are processed in order', (version) => {
  const client = new World().open(version);
  client.send(
    Buffer.concat([
      wire.connect({ version, clientId: 'a' }),
      wire.subscribe(version, 1, ['t']),
      wire.publish(version, { topic: 't', payload: 'x', qos: 1, id: 2 }),
      wire.PINGREQ,
    ]),
  );
  assert.deepEqual(
    client.inbox.map((packet) => packet.type).filter((type) => type !== 'publish'),
    ['connack', 'suback', 'puback', 'pingresp'],
  );
  assert.equal(client.inbox.find((packet) => packet.type === 'publish')?.payload, 'x');
});

eachVersion('[MQTT3-3.12.4-1] [MQTT5-3.12.4-1] PINGREQ is answered by PINGRESP', (version) => {
  const client = new World().connect('a', { version });
  client.send(wire.PINGREQ, wire.PINGREQ);
  client.expect('pingresp');
  client.expect('pingresp');
  client.expectNothing();
});

test('[MQTT5-3.1.2-28] [MQTT5-3.2.2-1] CONNACK contains no response information and only properties that differ from the defaults', () => {
  const world = new World();
  const client = world.connect('a', { properties: { requestResponseInformation: 0 } });
  for (const name of [
    'responseInformation',
    'maximumQoS',
    'retainAvailable',
    'assignedClientIdentifier',
    'serverKeepAlive',
    'authenticationMethod',
    'serverReference',
  ]) {
    assert.equal(name in client.connack.properties, false, name);
  }
});

test('[MQTT5-4.12.0-1] [MQTT5-4.12.0-4] an authentication method that the broker does not support is refused', () => {
  const client = new World().open();
  client.connect({ clientId: 'a', properties: { authenticationMethod: 'SCRAM-SHA-1' } });
  client.expectRefused(0x8c);
});

test('[MQTT5-4.12.0-6] [MQTT5-4.12.0-7] AUTH from a client without an authentication method is a protocol error', () => {
  const client = new World().connect('a');
  assert.equal(client.connack.properties.authenticationMethod, undefined);
  client.send(wire.auth(0x19, { authenticationMethod: 'SCRAM-SHA-1' }));
  client.expectEnded(0x82);
});

test('[MQTT5-3.15.1-1] AUTH with flags is malformed', () => {
  const client = new World().connect('a');
  client.send(wire.packet(0xf1, [0x18, 0x00]));
  client.expectEnded(0x81);
});

test('AUTH is no packet of MQTT 3.1.1', () => {
  const client = new World().connect('a', { version: 4 });
  client.send(wire.packet(0xf0));
  client.expectEnded();
});

test('authentication data without a method is a protocol error', () => {
  const client = new World().open();
  client.connect({ clientId: 'a', properties: { authenticationData: Buffer.from('x') } });
  client.expectRefused(0x82);
});

test('CONNECT properties that the specification forbids are refused', () => {
  const wrong: [wire.Properties, number][] = [
    [{ receiveMaximum: 0 }, 0x82],
    [{ maximumPacketSize: 0 }, 0x82],
    [{ requestProblemInformation: 2 }, 0x82],
    [{ sessionExpiryInterval: [1, 2] }, 0x82],
    [{ topicAlias: 1 }, 0x81],
    [{ maximumQoS: 1 }, 0x81],
  ];
  for (const [properties, reason] of wrong) {
    const client = new World().open();
    client.connect({ clientId: 'a', properties });
    client.expectRefused(reason);
  }
});
