import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOLD_DATAGRAMS, HOLD_MS } from '../../../src/sync/limits.ts';
import { type Placement, ReorderBuffer } from '../../../src/sync/reorder-buffer.ts';
import { seededRandom } from '../../support/random.ts';

/** The body is its own sequence. */
function insert(order: ReorderBuffer, sequence: number, now: number): Placement {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(sequence);
  return order.insert(sequence, body, now);
}

function buffer(first = 1): { order: ReorderBuffer; released: number[] } {
  const released: number[] = [];
  return {
    order: new ReorderBuffer(
      first,
      { read: (body) => released.push(body.readUInt32BE()) },
      { lostDatagrams: 0 },
    ),
    released,
  };
}

test('datagrams in order pass at once', () => {
  const { order, released } = buffer();
  for (let i = 1; i <= 3; i++) assert.equal(insert(order, i, 0), 'inOrder');
  assert.deepEqual(released, [1, 2, 3]);
  assert.equal(order.deadline, Number.POSITIVE_INFINITY);
});

test('an early datagram waits for those before it', () => {
  const { order, released } = buffer();
  assert.equal(insert(order, 3, 0), 'early');
  assert.equal(insert(order, 2, 1), 'early');
  assert.deepEqual(released, []);
  insert(order, 1, 2);
  assert.deepEqual(released, [1, 2, 3]);
});

test('a gap is skipped after 20 ms, and its datagram is late then', () => {
  const { order, released } = buffer();
  insert(order, 2, 100);
  assert.equal(order.deadline, 100 + HOLD_MS);
  order.advance(100 + HOLD_MS - 1);
  assert.deepEqual(released, []);
  order.advance(100 + HOLD_MS);
  assert.deepEqual(released, [2]);
  assert.equal(insert(order, 1, 200), 'late');
  assert.deepEqual(released, [2]);
});

test('each gap has its own time', () => {
  const { order, released } = buffer();
  insert(order, 2, 0);
  insert(order, 4, 10);
  order.advance(HOLD_MS);
  assert.deepEqual(released, [2]);
  assert.equal(order.deadline, 10 + HOLD_MS);
  order.advance(10 + HOLD_MS);
  assert.deepEqual(released, [2, 4]);
});

test('a datagram too far ahead skips the oldest gaps', () => {
  const { order, released } = buffer();
  insert(order, 2, 0);
  insert(order, 4, 0);
  insert(order, 3 + HOLD_DATAGRAMS, 0);
  assert.deepEqual(released, [2, 4]);
  insert(order, 1_000_000, 0);
  assert.deepEqual(released, [2, 4, 3 + HOLD_DATAGRAMS]);
  assert.equal(order.next, 1_000_001 - HOLD_DATAGRAMS);
});

test('the same sequence twice is a duplicate', () => {
  const { order } = buffer();
  insert(order, 2, 0);
  assert.equal(insert(order, 2, 0), 'duplicate');
});

test('datagrams in any order within reach come out complete and in order', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed);
    const { order, released } = buffer();
    const arrivals = Array.from({ length: 500 }, (_, i) => ({
      sequence: i + 1,
      at: i + random() * (HOLD_MS - 1),
    })).sort((x, y) => x.at - y.at);
    for (const { sequence, at } of arrivals) {
      order.advance(at);
      insert(order, sequence, at);
    }
    order.advance(10_000);
    assert.deepEqual(
      released,
      Array.from({ length: 500 }, (_, i) => i + 1),
      `seed ${seed}`,
    );
  }
});
