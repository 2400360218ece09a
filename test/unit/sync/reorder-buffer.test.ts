import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOLD_DATAGRAMS, HOLD_MS } from '../../../src/sync/limits.ts';
import { ReorderBuffer } from '../../../src/sync/reorder-buffer.ts';
import { seededRandom } from '../../support/sync-fixtures.ts';

const body = Buffer.alloc(0);

function buffer(first = 1): { order: ReorderBuffer; released: number[] } {
  const released: number[] = [];
  return { order: new ReorderBuffer(first, (_, sequence) => released.push(sequence)), released };
}

test('what comes in order passes at once', () => {
  const { order, released } = buffer();
  for (let i = 1; i <= 3; i++) assert.equal(order.insert(i, body, 0), 'inOrder');
  assert.deepEqual(released, [1, 2, 3]);
  assert.equal(order.deadline, Number.POSITIVE_INFINITY);
});

test('what comes early waits for what is before it', () => {
  const { order, released } = buffer();
  assert.equal(order.insert(3, body, 0), 'early');
  assert.equal(order.insert(2, body, 1), 'early');
  assert.deepEqual(released, []);
  order.insert(1, body, 2);
  assert.deepEqual(released, [1, 2, 3]);
});

test('a gap is given up when the time is over, and its datagram is late then', () => {
  const { order, released } = buffer();
  order.insert(2, body, 100);
  assert.equal(order.deadline, 100 + HOLD_MS);
  order.advance(100 + HOLD_MS - 1);
  assert.deepEqual(released, []);
  order.advance(100 + HOLD_MS);
  assert.deepEqual(released, [2]);
  assert.equal(order.insert(1, body, 200), 'late');
  assert.deepEqual(released, [2]);
});

test('each gap has its own time', () => {
  const { order, released } = buffer();
  order.insert(2, body, 0);
  order.insert(4, body, 10);
  order.advance(HOLD_MS);
  assert.deepEqual(released, [2]);
  assert.equal(order.deadline, 10 + HOLD_MS);
  order.advance(10 + HOLD_MS);
  assert.deepEqual(released, [2, 4]);
});

test('a datagram too far ahead pushes the oldest gaps out', () => {
  const { order, released } = buffer();
  order.insert(2, body, 0);
  order.insert(4, body, 0);
  order.insert(3 + HOLD_DATAGRAMS, body, 0);
  assert.deepEqual(released, [2, 4]);
  order.insert(1_000_000, body, 0);
  assert.deepEqual(released, [2, 4, 3 + HOLD_DATAGRAMS]);
  assert.equal(order.next, 1_000_001 - HOLD_DATAGRAMS);
});

test('the same sequence twice is a duplicate', () => {
  const { order } = buffer();
  order.insert(2, body, 0);
  assert.equal(order.insert(2, body, 0), 'duplicate');
});

test('whatever the order of arrival, releases rise and nothing within reach is missed', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed);
    const { order, released } = buffer();
    const arrivals = Array.from({ length: 500 }, (_, i) => ({
      sequence: i + 1,
      at: i + random() * (HOLD_MS - 1),
    })).sort((x, y) => x.at - y.at);
    for (const { sequence, at } of arrivals) {
      order.advance(at);
      order.insert(sequence, body, at);
    }
    order.advance(10_000);
    assert.deepEqual(
      released,
      Array.from({ length: 500 }, (_, i) => i + 1),
      `seed ${seed}`,
    );
  }
});
