// The form in which a retained message is kept: subscribers get the bytes that were published, whatever
// happens to the buffers that carried them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../../../support/mqtt-world.ts';
import * as wire from '../../../support/wire.ts';

/** One on each side of the size up to which bytes are kept as text. */
const SIZES = [1, 256, 4096, 4097, 70_000];

function bytesOf(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 7 + length) % 256));
}

test('a late subscriber gets a retained message byte by byte as it was published', () => {
  const world = new World();
  const publisher = world.connect('p', { version: 5 });
  const properties = { contentType: 'größe', userProperty: [['a', 'ü']] } as const;
  for (const size of SIZES) {
    const topic = `größe/日本/${size}`;
    const fields = { topic, payload: bytesOf(size), retain: true, properties };
    const packet = wire.publish(5, fields as unknown as wire.PublishFields);
    publisher.send(packet);
    packet.fill(0xff);
  }
  const late = world.connect('late', { version: 5 });
  late.subscribe(['größe/日本/+']);
  const messages = late.messages();
  assert.equal(messages.length, SIZES.length);
  for (const message of messages) {
    const size = Number(message.topic.split('/')[2]);
    assert.ok(message.bytes.subarray(-size).equals(bytesOf(size)), `${size} bytes`);
    assert.equal(message.properties.contentType, 'größe');
  }
});

test('a retained message keeps its bytes while it waits for a slow client and is replaced', () => {
  const world = new World();
  const publisher = world.connect('p', { version: 5 });
  publisher.publish('t', 'before', { retain: true, qos: 1 });
  const slow = world.connect('slow', { version: 5, properties: { receiveMaximum: 1 } });
  slow.subscribe([{ filter: 't', qos: 1 }]);
  publisher.publish('t', 'after', { retain: true, qos: 1 });
  assert.deepEqual(slow.payloads(), ['before', 'after']);
});
