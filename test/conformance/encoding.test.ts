// Data representation and packet format (chapters 1.5 and 2 of both versions). A fault ends only its
// own connection (4.8 of 3.1.1, 4.13 of 5.0).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const ILL_FORMED: [string, number[]][] = [
  ['a lone continuation byte', [0x80]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong NUL', [0xc0, 0x80]],
  ['a truncated sequence', [0xe2, 0x82]],
  ['the surrogate U+D800', [0xed, 0xa0, 0x80]],
  ['the surrogate U+DFFF', [0xed, 0xbf, 0xbf]],
  ['a pair of surrogates', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['an overlong form of 3 bytes', [0xe0, 0x80, 0xaf]],
  ['an overlong form of 4 bytes', [0xf0, 0x80, 0x80, 0xaf]],
  ['a byte that UTF-8 does not have', [0xfe]],
];

eachVersion(
  '[MQTT3-1.5.3-1] [MQTT5-1.5.4-1] ill-formed UTF-8 in any field ends the connection',
  (version) => {
    for (const [what, bytes] of ILL_FORMED) {
      const text = Buffer.from([0x61, ...bytes, 0x62]);
      for (const packet of [
        wire.publish(version, { topic: text }),
        wire.subscribe(version, 1, [{ filter: text }]),
        wire.unsubscribe(version, 1, [text]),
      ]) {
        const client = new World().connect('a', { version });
        client.send(packet);
        assert.ok(client.closed, what);
      }
    }
  },
);

eachVersion(
  '[MQTT3-1.5.3-2] [MQTT5-1.5.4-2] U+0000 in any field ends the connection',
  (version) => {
    const text = Buffer.from('a\0b');
    for (const packet of [
      wire.publish(version, { topic: text }),
      wire.subscribe(version, 1, [{ filter: text }]),
      wire.unsubscribe(version, 1, [text]),
    ]) {
      const client = new World().connect('a', { version });
      client.send(packet);
      assert.ok(client.closed);
    }
  },
);

eachVersion('characters of all lengths, and noncharacters, are passed on', (version) => {
  const world = new World();
  const client = world.connect('a', { version });
  client.subscribe(['#']);
  const topics = [
    '\u007f',
    '\u0080',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{10ffff}',
  ];
  const publisher = world.connect('p', { version });
  for (const topic of topics) publisher.publish(topic);
  assert.deepEqual(
    client.messages().map((message) => message.topic),
    topics,
  );
});

test('[MQTT5-1.5.4-1] [MQTT5-1.5.4-2] [MQTT5-1.5.7-1] ill-formed strings in properties end the connection', () => {
  for (const text of [Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0])]) {
    const pair = Buffer.concat([Buffer.from([0x26]), wire.text('n'), wire.text(text)]);
    const client = new World().connect('a');
    const body = Buffer.concat([wire.u16(1), wire.varint(pair.length), pair, wire.text('t')]);
    client.send(wire.packet(0x82, body, [0]));
    client.expectEnded(0x81);
  }
});

eachVersion('a remaining length of five bytes ends the connection', (version) => {
  const client = new World().connect('a', { version });
  client.send(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]));
  client.expectEnded(0x81);
});

test('a remaining length in more bytes than needed is valid before MQTT 5 and malformed in it [MQTT5-1.5.5-1]', () => {
  for (const version of [3, 4, 5] as const) {
    const world = new World();
    const watcher = world.connect('w');
    watcher.subscribe(['t']);
    const client = world.connect('a', { version });
    for (const padding of [[0x00], [0x80, 0x00], [0x80, 0x80, 0x00]]) {
      const body = wire.publish(version, { topic: 't', payload: 'x' }).subarray(2);
      client.send(Buffer.concat([Buffer.from([0x30, body.length | 0x80, ...padding]), body]));
      if (version === 5) break;
      assert.deepEqual(watcher.payloads(), ['x'], `level ${version}`);
    }
    if (version === 5) client.expectEnded(0x81);
  }
});

test('a CONNECT of MQTT 5 with such a length is malformed, too [MQTT5-1.5.5-1]', () => {
  for (const version of [4, 5] as const) {
    const client = new World().open(version);
    const body = wire.connect({ version, clientId: 'a' }).subarray(2);
    client.send(Buffer.concat([Buffer.from([0x10, body.length | 0x80, 0x00]), body]));
    assert.equal(client.expect('connack').reason, version === 5 ? 0x81 : 0);
  }
});

test('[MQTT5-1.5.5-1] the broker encodes lengths in as few bytes as possible', () => {
  const world = new World();
  const client = world.connect('a');
  client.subscribe(['t']);
  const publisher = world.connect('p');
  for (const size of [
    0, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16_370, 16_380, 16_385,
  ]) {
    publisher.publish('t', 'x'.repeat(size));
    // The decoder refuses a length that has a byte too many.
    assert.equal(client.expect('publish').payload.length, size);
  }
});

eachVersion(
  'a packet type that only a server sends is a protocol error, the reserved type is malformed',
  (version) => {
    for (const [firstByte, reason] of [
      [0x00, 0x81],
      [0x0f, 0x81],
      [0x20, 0x82],
      [0x90, 0x82],
      [0xb0, 0x82],
      [0xd0, 0x82],
    ] as const) {
      const client = new World().connect('a', { version });
      client.send(wire.packet(firstByte));
      client.expectEnded(reason);
    }
  },
);

eachVersion('packets that are truncated or too long end the connection', (version) => {
  for (const bytes of [
    wire.packet(0x32, wire.text('t')),
    wire.packet(0x30, [0x00]),
    wire.packet(0x30, [0x00, 0x05, 0x61]),
    wire.packet(0x40, [0x00]),
    wire.packet(0x40),
    wire.packet(0x62, [0x01]),
    wire.packet(0x82, [0x00, 0x01], wire.properties(version), [0x00, 0x03, 0x61]),
    wire.packet(0x82, [0x00, 0x01], wire.properties(version), wire.text('t')),
    wire.packet(0xa2, [0x00, 0x01], wire.properties(version), [0x00]),
    wire.packet(0xc0, [0x00]),
  ]) {
    const client = new World().connect('a', { version });
    client.send(bytes);
    client.expectEnded();
  }
});

eachVersion(
  'an acknowledgement shorter than its packet identifier ends the connection, whatever follows it',
  (version) => {
    for (const header of [0x40, 0x50, 0x62, 0x70]) {
      for (const body of [[], [1]]) {
        const client = new World().connect('a', { version });
        client.send(Buffer.concat([wire.packet(header, body), wire.PINGREQ]));
        client.expectEnded(0x81);
      }
    }
  },
);

test('lengths in properties that run past their packet end the connection', () => {
  for (const bytes of [
    wire.packet(0x30, wire.text('t'), [0x7f]),
    wire.packet(0x82, [0, 1, 0x7f], wire.text('t'), [0]),
    wire.packet(0x40, [0, 1, 0, 0x05]),
    wire.packet(0xe0, [0, 0x05, 0x11]),
    wire.packet(0x82, [0, 1, 2, 0x0b, 0x80], wire.text('t'), [0]),
    wire.packet(0x82, [0, 1, 6, 0x0b, 0x80, 0x80, 0x80, 0x80, 0x01], wire.text('t'), [0]),
    wire.packet(0x30, wire.text('t'), [0x80]),
    wire.packet(0x30, wire.text('t'), [0xff, 0xff, 0xff, 0xff, 0x01]),
  ]) {
    const client = new World().connect('a');
    client.send(bytes);
    client.expectEnded(0x81);
  }
});

eachVersion(
  '[MQTT3-4.8.0-1] [MQTT5-4.13.1-1] [MQTT5-4.13.2-1] a fault ends its own connection and no other',
  (version) => {
    const world = new World();
    const bystander = world.connect('b', { version });
    bystander.subscribe(['t']);
    for (let seed = 1; seed < 200; seed += 1) {
      const client = world.connect('a', { version });
      let state = seed;
      const noise = Buffer.from(
        Array.from({ length: 40 }, () => {
          state = (state * 48271) % 2147483647;
          return state & 255;
        }),
      );
      client.send(Buffer.concat([wire.packet(0x36, noise), noise]));
      assert.ok(client.closed);
    }
    world.connect('p').publish('t', 'still here');
    assert.deepEqual(bystander.payloads(), ['still here']);
  },
);

eachVersion('packets that the transport cuts anywhere are reassembled', (version) => {
  const world = new World();
  const watcher = world.connect('w');
  watcher.subscribe(['t']);
  const bytes = Buffer.concat([
    wire.connect({ version, clientId: 'a' }),
    wire.publish(version, { topic: 't', payload: 'one', qos: 2, id: 1 }),
    wire.ack('pubrel', 1),
    wire.publish(version, { topic: 't', payload: 'x'.repeat(300), qos: 1, id: 2 }),
    wire.subscribe(version, 3, ['u']),
    wire.PINGREQ,
  ]);
  for (const step of [1, 2, 3, 7, 100]) {
    const client = world.open(version);
    for (let at = 0; at < bytes.length; at += step) client.send(bytes.subarray(at, at + step));
    assert.deepEqual(
      client.inbox.map((packet) => packet.type),
      ['connack', 'pubrec', 'pubcomp', 'puback', 'suback', 'pingresp'],
    );
    assert.deepEqual(
      watcher.payloads().map((payload) => payload.length),
      [3, 300],
    );
  }
});
