import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForwardFilter } from '../../../src/sync/forward-filter.ts';

function allowed(filters: string[], topic: string): boolean {
  const filter = new ForwardFilter(filters);
  const first = filter.allows(Buffer.from(topic));
  // The second answer comes from the cache and must be the same.
  assert.equal(filter.allows(Buffer.from(topic)), first);
  return first;
}

test('a topic that begins with $ is never forwarded, with any filter', () => {
  for (const filters of [['#'], ['$SYS/#'], ['+/#', '$x']]) {
    assert.equal(allowed(filters, '$SYS/uptime'), false);
    assert.equal(allowed(filters, '$x'), false);
  }
});

test('the filter # forwards all other topics', () => {
  assert.equal(allowed(['a', '#'], 'any/thing'), true);
});

test('a topic is forwarded if one of the filters matches it', () => {
  const filters = ['plant/+/temperature', 'alarms/#'];
  assert.equal(allowed(filters, 'plant/7/temperature'), true);
  assert.equal(allowed(filters, 'alarms'), true);
  assert.equal(allowed(filters, 'plant/7/humidity'), false);
  assert.equal(allowed(filters, `alarms/${'x'.repeat(1000)}`), true);
});

test('topics that share a slot of the cache keep their own decisions', () => {
  const filter = new ForwardFilter(['even/#']);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 10_000; i++) {
      const isEven = i % 2 === 0;
      assert.equal(filter.allows(Buffer.from(`${isEven ? 'even' : 'odd'}/${i}`)), isEven);
    }
  }
});

test('a decision does not depend on a buffer that is reused later', () => {
  const filter = new ForwardFilter(['even/#']);
  const bytes = Buffer.from('even/00000');
  for (let i = 0; i < 50_000; i++) {
    bytes.write(`even/${String(i).padStart(5, '0')}`);
    assert.equal(filter.allows(bytes), true);
    bytes.write(`odd/-${String(i).padStart(5, '0')}`);
    assert.equal(filter.allows(bytes), false);
  }
});
