import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { decodeConnect } from '../../../../src/mqtt/control-decoder.ts';
import { Framer } from '../../../../src/mqtt/framer.ts';
import { PacketType } from '../../../../src/mqtt/packet-type.ts';
import type { ProtocolVersion } from '../../../../src/mqtt/publish-view.ts';
import {
  connectDetail,
  filtersDetail,
  reasonOf,
} from '../../../../src/node/status/trace-details.ts';

function framed(packet: Buffer): Framer {
  const framer = new Framer(1_048_576);
  framer.push(packet);
  assert.equal(framer.next(), true);
  return framer;
}

function encoded(packet: object, version: ProtocolVersion): Framer {
  return framed(
    mqttPacket.generate(packet as mqttPacket.Packet, { protocolVersion: version as 4 | 5 }),
  );
}

test('a SUBSCRIBE shows its filters with QoS and options, of which a long list only the first', () => {
  const few = {
    cmd: 'subscribe',
    messageId: 7,
    subscriptions: [
      { topic: 'home/#', qos: 1, nl: true, rh: 2 },
      { topic: 'home/+', qos: 0, rh: 1 },
    ],
  };
  const detail = 'home/# q1 no local nothing retained, home/+ q0 retained only if new';
  assert.equal(filtersDetail(PacketType.subscribe, encoded(few, 5), 5), detail);
  const topics = Array.from({ length: 1000 }, (_, i) => ({ topic: `t${i}`, qos: 2 }));
  const many = encoded({ cmd: 'subscribe', messageId: 7, subscriptions: topics }, 4);
  assert.match(
    filtersDetail(PacketType.subscribe, many, 4) ?? '',
    /^t0 q2, .* t7 q2 and 992 more$/,
  );
});

test('a list of eight filters is shown whole', () => {
  const topics = Array.from({ length: 8 }, (_, i) => `t${i}`);
  const packet = { cmd: 'unsubscribe', messageId: 7, unsubscriptions: topics };
  assert.equal(filtersDetail(PacketType.unsubscribe, encoded(packet, 4), 4), topics.join(', '));
});

test('a CONNECT shows what decides how long a client and its session last', () => {
  const connect = { cmd: 'connect', clientId: 'c', clean: true, keepalive: 60 };
  const detail = (packet: object, version: ProtocolVersion): string => {
    const { buffer, start, bodyStart, end } = encoded(
      { protocolVersion: version, ...packet },
      version,
    );
    return connectDetail(decodeConnect(buffer, start, bodyStart, end));
  };
  assert.equal(detail(connect, 4), 'MQTT 3.1.1, clean start, keep alive 60 s');
  const lasting = {
    ...connect,
    clean: false,
    keepalive: 0,
    username: 'ann',
    properties: { sessionExpiryInterval: 3600 },
    will: { topic: 'status/c', payload: 'offline' },
  };
  assert.equal(
    detail(lasting, 5),
    'MQTT 5.0 as ann, resumes its session, session expiry 3600 s, no keep alive, will status/c',
  );
});

test('an UNSUBSCRIBE shows its filters, and an ill-formed packet shows none', () => {
  const packet = { cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['a/#', 'b'] };
  assert.equal(filtersDetail(PacketType.unsubscribe, encoded(packet, 5), 5), 'a/#, b');
  const short = framed(Buffer.from([0x82, 3, 0, 7, 0]));
  assert.equal(filtersDetail(PacketType.subscribe, short, 5), undefined);
});

test('a SUBACK shows the answer for each filter, behind its properties too', () => {
  const properties = { reasonString: 'x'.repeat(200) };
  const answer = { cmd: 'suback', messageId: 7, granted: [0, 2, 0x87] };
  const words = 'granted q0, granted q2, not authorized';
  for (const packet of [answer, { ...answer, properties }]) {
    assert.equal(reasonOf(PacketType.suback, encoded(packet, 5), 5), words);
  }
  const refused = encoded({ ...answer, granted: [1, 0x80] }, 4);
  assert.equal(reasonOf(PacketType.suback, refused, 4), 'granted q1, unspecified error');
});

test('an UNSUBACK shows an answer for each filter in MQTT 5 only', () => {
  const packet = { cmd: 'unsuback', messageId: 7, granted: [0, 0x11] };
  const words = 'success, no subscription existed';
  assert.equal(reasonOf(PacketType.unsuback, encoded(packet, 5), 5), words);
  assert.equal(reasonOf(PacketType.unsuback, framed(Buffer.from([0xb0, 2, 0, 7])), 4), undefined);
});

test('a CONNACK shows the answer in words, of the versions before MQTT 5 too', () => {
  for (const [version, code, words] of [
    [5, 0x87, 'not authorized'],
    [4, 5, 'not authorized'],
    [4, 0, 'success'],
  ] as const) {
    const body = version === 5 ? [0x20, 3, 0, code, 0] : [0x20, 2, 0, code];
    const packet = framed(Buffer.from(body));
    assert.equal(reasonOf(PacketType.connack, packet, version), words);
  }
  assert.equal(reasonOf(PacketType.pingresp, framed(Buffer.from([0xd0, 0])), 5), undefined);
});
