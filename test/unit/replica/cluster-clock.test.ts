import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterClock } from '../../../src/replica/cluster-clock.ts';

test('the clock goes on with the monotonic clock and adopts what is later', () => {
  const clock = new ClusterClock(1000.5, 50_000);
  assert.equal(clock.at(1000.5), 50_000);
  assert.equal(clock.at(1002), 50_001);
  clock.adopt(1002, 40_000);
  assert.equal(clock.at(1002), 50_001);
  clock.adopt(1002, 60_000);
  assert.equal(clock.at(1003), 60_001);
});

test('a wall clock before the epoch, or a time beyond 48 bits, does no harm', () => {
  const clock = new ClusterClock(0, -5);
  assert.equal(clock.at(0), 0);
  clock.adopt(0, 2 ** 50);
  assert.equal(clock.at(0), 0);
});
