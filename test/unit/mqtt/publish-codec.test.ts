// Compares the codec with mqtt-packet: each reads the packets of the other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { Framer } from '../../../src/mqtt/framer.ts';
import { decodePublish } from '../../../src/mqtt/publish-decoder.ts';
import {
  encodePublishHead,
  type PublishFields,
  publishBytes,
} from '../../../src/mqtt/publish-encoder.ts';
import { PublishView } from '../../../src/mqtt/publish-view.ts';
import { seededRandom } from '../../support/random.ts';

function decoded(bytes: Buffer, version: 4 | 5): PublishView {
  const framer = new Framer(bytes.length);
  framer.push(bytes);
  assert.equal(framer.next(), true);
  const view = new PublishView();
  const fault = decodePublish(view, bytes, 0, framer.bodyStart, framer.end, version);
  assert.equal(fault, undefined);
  return view;
}

test('the decoder reads packets of mqtt-packet', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 500; round++) {
    const version = random() < 0.5 ? 4 : 5;
    const qos = Math.floor(random() * 3) as 0 | 1 | 2;
    const topic = 't/ü'.repeat(1 + Math.floor(random() * 60));
    const payload = Buffer.alloc(Math.floor(random() ** 3 * 20_000), 0x61);
    const messageId = 1 + Math.floor(random() * 65_535);
    const properties = version === 5 && random() < 0.5 ? { contentType: 'x', topicAlias: 4 } : {};
    const retain = random() < 0.5;
    const dup = qos > 0 && random() < 0.5;
    const bytes = mqttPacket.generate(
      { cmd: 'publish', topic, qos, payload, retain, dup, messageId, properties },
      { protocolVersion: version },
    );
    const view = decoded(bytes, version);
    assert.deepEqual(
      [view.qos, view.retain, view.dup, view.packetId],
      [qos, retain, dup, qos > 0 ? messageId : 0],
    );
    assert.equal(bytes.toString('utf8', view.topicStart, view.topicEnd), topic);
    assert.deepEqual(bytes.subarray(view.payloadStart, view.end), payload);
    const hasProperties = Object.keys(properties).length > 0;
    assert.equal(view.propertiesEnd > view.propertiesStart, hasProperties);
  }
});

test('mqtt-packet reads packets of the encoder', () => {
  const payload = Buffer.from('payload');
  for (const version of [4, 5] as const) {
    for (const qos of [0, 1, 2]) {
      const fields: PublishFields = {
        version,
        firstByte: 0x30 | (qos << 1) | 1,
        packetId: 517,
        topic: Buffer.from('a/ü'),
        properties: Buffer.from([38, 0, 1, 0x6b, 0, 1, 0x76]),
        expirySeconds: 70_000,
        subscriptionIdentifiers: [1, 20_000],
        topicAlias: 9,
        payloadBytes: payload.length,
      };
      const bytes = Buffer.alloc(publishBytes(fields));
      payload.copy(bytes, encodePublishHead(bytes, 0, fields));
      let read: mqttPacket.IPublishPacket | undefined;
      const parser = mqttPacket.parser({ protocolVersion: version });
      parser.on('packet', (packet) => {
        read = packet as mqttPacket.IPublishPacket;
      });
      assert.equal(parser.parse(bytes), 0, 'nothing is left over');
      assert.ok(read);
      assert.deepEqual([read.topic, read.qos, read.retain], ['a/ü', qos, true]);
      assert.equal(read.messageId, qos > 0 ? 517 : undefined);
      assert.deepEqual(Buffer.from(read.payload), payload);
      if (version === 4) continue;
      assert.equal(read.properties?.messageExpiryInterval, 70_000);
      assert.deepEqual(read.properties?.subscriptionIdentifier, [1, 20_000]);
      assert.equal(read.properties?.topicAlias, 9);
      assert.equal(read.properties?.userProperties?.k, 'v');
    }
  }
});

test('a PUBLISH that is truncated anywhere is a fault, and is never read past its end', () => {
  const whole = mqttPacket.generate(
    {
      cmd: 'publish',
      topic: 'abc',
      qos: 1,
      payload: '',
      retain: false,
      dup: false,
      messageId: 5,
      properties: { contentType: 'x' },
    },
    { protocolVersion: 5 },
  );
  const view = new PublishView();
  for (let end = 2; end < whole.length; end++) {
    assert.ok(decodePublish(view, whole, 0, 2, end, 5), `cut at ${end}`);
  }
});
