import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedCache } from '../../../src/auth/shared-cache.ts';

test('a full cache removes the oldest entry of the owner with the most', () => {
  const cache = new SharedCache<number>(4);
  cache.set('a', 'quiet', 1);
  for (const key of ['b', 'c', 'd', 'e', 'f']) cache.set(key, 'loud', 2);
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e', 'f'].filter((key) => cache.get(key) !== undefined),
    ['a', 'd', 'e', 'f'],
  );
  assert.equal(cache.evictions, 2);
});

test('an entry may change its value and its owner', () => {
  const cache = new SharedCache<number>(2);
  cache.set('a', 'x', 1);
  cache.set('a', 'y', 2);
  cache.set('b', 'y', 3);
  assert.equal(cache.evictions, 0);
  cache.set('c', 'x', 4);
  assert.deepEqual([cache.get('a'), cache.get('b'), cache.get('c')], [undefined, 3, 4]);
  cache.clear();
  assert.equal(cache.get('b'), undefined);
});
