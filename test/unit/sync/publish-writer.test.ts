import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IPublishPacket, parser } from 'mqtt-packet';
import type { ProtocolVersion } from '../../../src/mqtt/publish-view.ts';
import { PublishWriter } from '../../../src/sync/publish-writer.ts';
import { type PublishInput, publishPacket, topicOf, viewOf } from '../../support/sync-fixtures.ts';

/** What a peer reads, by an independent MQTT 5 parser. */
function framed(
  input: PublishInput,
  version: ProtocolVersion,
  topic?: string,
): { bytes: Buffer; packet: IPublishPacket } {
  const view = viewOf(publishPacket(input, version), version);
  const writer = new PublishWriter();
  const topicBytes = topic === undefined ? topicOf(view) : Buffer.from(topic);
  const size = writer.measure(view, topicBytes);
  const bytes = Buffer.alloc(size + 2, 0xee);
  writer.write(view, topicBytes, bytes, 1);
  assert.deepEqual([bytes[0], bytes[size + 1]], [0xee, 0xee]);
  const packets: IPublishPacket[] = [];
  const reader = parser({ protocolVersion: 5 });
  reader.on('packet', (packet) => {
    if (packet.cmd === 'publish') packets.push(packet);
  });
  reader.on('error', (error) => assert.fail(error));
  reader.parse(bytes.subarray(1, size + 1));
  assert.equal(packets.length, 1);
  return { bytes: bytes.subarray(1, size + 1), packet: packets[0] as IPublishPacket };
}

for (const version of [3, 4, 5] as const) {
  for (const qos of [0, 1, 2] as const) {
    for (const size of [0, 1, 50, 1000, 3000]) {
      test(`a version ${version} PUBLISH of QoS ${qos} with ${size} bytes becomes the same one in MQTT 5`, () => {
        const payload = Buffer.alloc(size, 7);
        const { packet } = framed({ topic: 'a/ü/c', payload, qos, retain: true }, version);
        assert.equal(packet.topic, 'a/ü/c');
        assert.deepEqual(packet.payload, payload);
        assert.equal(packet.qos, qos);
        assert.equal(packet.retain, true);
      });
    }
  }
}

test('DUP is cleared, because a peer gets the message for the first time', () => {
  for (const version of [4, 5] as const) {
    assert.equal(framed({ topic: 't', qos: 1, dup: true }, version).packet.dup, false);
  }
});

const TRAVELLING = {
  payloadFormatIndicator: true,
  messageExpiryInterval: 60,
  contentType: 'text/plain',
  responseTopic: 'answers/1',
  correlationData: Buffer.from([1, 2, 3]),
  userProperties: { a: ['1', '2'], b: '3' },
};

test('properties are kept', () => {
  const { packet } = framed({ topic: 't', payload: 'x', properties: TRAVELLING }, 5);
  assert.deepEqual(
    { ...packet.properties },
    { ...TRAVELLING, userProperties: packet.properties?.userProperties },
  );
  assert.deepEqual({ ...packet.properties?.userProperties }, TRAVELLING.userProperties);
});

test('user properties keep their order [MQTT5-3.3.2-18]', () => {
  const view = viewOf(publishPacket({ topic: 't' }));
  const pair = (name: string, value: string): Buffer =>
    Buffer.from([0x26, 0, 1, name.charCodeAt(0), 0, 1, value.charCodeAt(0)]);
  const alias = Buffer.from([0x23, 0, 5]);
  const wanted = Buffer.concat([pair('b', '1'), pair('a', '2'), pair('b', '3')]);
  const properties = Buffer.concat([pair('b', '1'), alias, pair('a', '2'), pair('b', '3')]);
  const body = Buffer.concat([
    Buffer.from([0x30, 4 + properties.length, 0, 1, 0x74, properties.length]),
    properties,
  ]);
  Object.assign(view, viewOf(body));
  const writer = new PublishWriter();
  const bytes = Buffer.alloc(writer.measure(view, Buffer.from('t')));
  writer.write(view, Buffer.from('t'), bytes, 0);
  assert.deepEqual(bytes.subarray(6), wanted);
});

test('a topic alias is replaced by the topic itself', () => {
  const { packet } = framed(
    { topic: '', payload: 'x', properties: { topicAlias: 3, contentType: 'c' } },
    5,
    'the/real/topic',
  );
  assert.equal(packet.topic, 'the/real/topic');
  assert.deepEqual({ ...packet.properties }, { contentType: 'c' });
});

test('an alias beside its topic is left out as well', () => {
  const { packet } = framed({ topic: 't', payload: 'x', properties: { topicAlias: 3 } }, 5);
  assert.equal(packet.topic, 't');
  assert.equal(packet.properties?.topicAlias, undefined);
});
