// Publishers that are faster than the network: memory stays bounded, and the policy decides which
// messages are lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { QueuePolicy } from '../../src/sync/packer.ts';
import { LossyNetwork, type Station, welcomedPair } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');
const QUEUE_LENGTH = 10;

function jammed(
  queuePolicy: QueuePolicy,
  publishAll: (a: Station) => void,
): { a: Station; b: Station } {
  const network = new LossyNetwork({ seed: 1 });
  const a = network.add({ name: 'a', keys, queueLength: QUEUE_LENGTH, queuePolicy });
  const b = network.add({ name: 'b', keys });
  network.mesh();
  network.run(20);
  a.publish('t', 'before');
  network.flush();
  a.isReady = false;
  publishAll(a);
  network.flush();
  assert.ok(a.node.counters.queuedDatagrams <= QUEUE_LENGTH);
  network.run(10);
  assert.equal(b.inbox.length, 1);
  a.isReady = true;
  network.flush();
  a.publish('t', 'after');
  network.flush();
  network.run(100);
  const { counters } = b.statusOf('a');
  assert.equal(counters.lostMessages, a.node.counters.queueDroppedMessages);
  assert.equal(counters.malformed, 0);
  assert.equal(a.node.counters.queuedDatagrams, 0);
  return { a, b };
}

function numbers(station: Station): number[] {
  return station.inbox
    .slice(1, -1)
    .map((message) => Number.parseInt(message.payload.toString('latin1'), 10));
}

const small = (a: Station): void => {
  for (let i = 0; i < 500; i++) a.publish('t', `${i} ${'x'.repeat(300)}`);
};

test('discard-newest keeps the oldest messages', () => {
  const { b } = jammed('discard-newest', small);
  const kept = numbers(b);
  assert.ok(kept.length >= QUEUE_LENGTH * 4);
  assert.deepEqual(
    kept,
    kept.map((_, index) => index),
  );
  assert.equal(b.inbox.at(-1)?.payload.toString(), 'after');
});

test('discard-oldest keeps the newest messages', () => {
  const { b } = jammed('discard-oldest', small);
  const kept = numbers(b);
  assert.ok(kept.length >= QUEUE_LENGTH * 4);
  assert.deepEqual(
    kept,
    kept.map((_, index) => 500 - kept.length + index),
  );
});

for (const policy of ['discard-newest', 'discard-oldest'] as const) {
  test(`${policy} delivers only whole messages, in order, and counts the others`, () => {
    const { a, b } = jammed(policy, (station) => {
      for (let i = 0; i < 300; i++) {
        station.publish('t', `${i} ${'x'.repeat((i * 977) % 3900)}`);
      }
    });
    const kept = numbers(b);
    assert.deepEqual(
      kept,
      kept.toSorted((x, y) => x - y),
    );
    assert.equal(kept.length + a.node.counters.queueDroppedMessages, 300);
    for (const message of b.inbox.slice(1, -1)) {
      const text = message.payload.toString('latin1');
      const i = Number.parseInt(text, 10);
      assert.equal(text, `${i} ${'x'.repeat((i * 977) % 3900)}`);
    }
  });
}

test('no message is kept while no peer is online, if messages do not wait for one', () => {
  const { network, a, b } = welcomedPair({ seed: 2 }, keys);
  a.isReady = false;
  for (let i = 0; i < 100; i++) a.publish('t', 'x'.repeat(1000));
  a.node.setPeers([], network.now);
  a.publish('t', 'no peer is online');
  a.isReady = true;
  a.node.setPeers([b.peer], network.now);
  network.flush();
  network.run(100);
  assert.deepEqual(b.inbox, []);
});
