// A message in flight may be a view of the chunk in which it arrived, but not for long, and what subscribers get
// does not depend on it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BorrowedPayloads } from '../../../../src/broker/message/borrowed-payloads.ts';
import { type Message, messageBytes, newTopic } from '../../../../src/broker/message/message.ts';
import { Publication } from '../../../../src/broker/message/publication.ts';
import { decodePublish } from '../../../../src/mqtt/publish-decoder.ts';
import { PublishView } from '../../../../src/mqtt/publish-view.ts';
import { World } from '../../../support/mqtt-world.ts';

const CHUNK_BYTES = 65_536;
const topic = newTopic('t', Buffer.from('t'));

/** A QoS 1 message with a payload of 2 bytes, in a chunk of 64 KB. */
function messageInChunk(chunk = Buffer.alloc(CHUNK_BYTES)): Message {
  chunk.set([0x32, 7, 0, 1, 0x74, 0, 1, 0x68, 0x69]);
  const view = new PublishView();
  assert.equal(decodePublish(view, chunk, 0, 2, 9, 4), undefined);
  const publication = new Publication(topic);
  publication.setView(view, topic, Number.POSITIVE_INFINITY, true, 0);
  return publication.message();
}

const isBorrowed = ({ payload }: Message): boolean => payload.buffer.byteLength === CHUNK_BYTES;

test('messages in flight keep at most 32 MB of chunks alive, and one chunk more', () => {
  const borrowed = new BorrowedPayloads();
  const messages = Array.from({ length: 1000 }, () => messageInChunk());
  for (const message of messages) borrowed.add(message);
  const kept = messages.filter(isBorrowed);
  assert.ok(kept.length >= 500 && kept.length * CHUNK_BYTES <= 33_554_432 + CHUNK_BYTES);
  assert.deepEqual(kept, messages.slice(-kept.length), 'the latest ones');
  for (const { packet } of messages.slice(0, -kept.length)) assert.equal(packet, undefined);
  for (const { payload } of messages) assert.equal(payload.toString(), 'hi');
});

test('a chunk above the bound does not weaken it for those that follow', () => {
  const borrowed = new BorrowedPayloads();
  for (let i = 0; i < 1000; i++) borrowed.add(messageInChunk());
  borrowed.add(messageInChunk(Buffer.alloc(33_554_433)));
  const messages = Array.from({ length: 1500 }, () => messageInChunk());
  for (const message of messages) borrowed.add(message);
  const kept = messages.filter(isBorrowed);
  assert.ok(kept.length >= 500 && kept.length * CHUNK_BYTES <= 33_554_432 + CHUNK_BYTES);
});

test('messages of one chunk count it once', () => {
  const borrowed = new BorrowedPayloads();
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const messages = Array.from({ length: 4000 }, () => messageInChunk(chunk));
  for (const message of messages) borrowed.add(message);
  assert.ok(messages.every(isBorrowed));
});

test('at most the latest 4096 messages are borrowed, however small their chunks are', () => {
  const borrowed = new BorrowedPayloads();
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const messages = Array.from({ length: 10_000 }, () => messageInChunk(chunk));
  for (const message of messages) borrowed.add(message);
  const kept = messages.filter(isBorrowed);
  assert.ok(kept.length >= 4000 && kept.length <= 4096);
  assert.deepEqual(kept, messages.slice(-kept.length), 'the latest ones');
});

test('a message that is acknowledged gives up its place, and may be kept again', () => {
  const borrowed = new BorrowedPayloads();
  const first = messageInChunk();
  borrowed.add(first);
  borrowed.remove(first);
  borrowed.remove(first);
  for (let i = 0; i < 1000; i++) borrowed.add(messageInChunk());
  assert.ok(isBorrowed(first));
  borrowed.add(first);
  for (let i = 0; i < 1000; i++) borrowed.add(messageInChunk());
  assert.ok(!isBorrowed(first));
});

test('a message that nothing looks into needs no view of its packet', () => {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let views = 0;
  chunk.subarray = (start, end) => {
    views += 1;
    return Buffer.from(chunk.buffer, start, end! - start!);
  };
  const borrowed = new BorrowedPayloads();
  const message = messageInChunk(chunk);
  assert.equal(messageBytes(message), 3);
  borrowed.add(message);
  borrowed.remove(message);
  assert.equal(views, 0);
  const { payload } = message;
  assert.equal(payload.toString(), 'hi');
  assert.equal(message.payload, payload);
  assert.equal(views, 1);
});

test('each subscriber gets its own Packet Identifier, and a repetition the same payload', () => {
  const world = new World();
  const properties = { sessionExpiryInterval: 60 };
  const first = world.connect('a', { properties });
  const second = world.connect('b', { properties });
  first.subscribe('t');
  second.subscribe(['before', 't']);
  const publisher = world.connect('p');
  publisher.publish('before', 'x', { qos: 1 });
  assert.equal(second.expect('publish').id, 1);
  publisher.publish('t', 'text', { qos: 1, id: 77, dup: true });
  for (const [client, id] of [[first, 1] as const, [second, 2] as const]) {
    const sent = client.expect('publish');
    assert.deepEqual([sent.id, sent.dup, String(sent.payload)], [id, false, 'text']);
  }
  first.lose();
  const again = world.connect('a', { clean: false, properties }).expect('publish');
  assert.deepEqual([again.id, again.dup, String(again.payload)], [1, true, 'text']);
});
