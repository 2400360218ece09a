import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterClock } from '../../../src/replica/cluster-clock.ts';

test('the clock goes on with the monotonic clock and adopts what is later', () => {
  const clock = new ClusterClock(1000.5, 50_000);
  assert.equal(clock.at(1000.5), 50_000);
  assert.equal(clock.at(1002), 50_001);
  clock.meet(1002, 40_000);
  assert.equal(clock.at(1002), 50_001);
  clock.adopt(1002, 60_000);
  assert.equal(clock.at(1003), 60_001);
});

test('a wall clock before the epoch, or a time beyond 48 bits, does no harm', () => {
  const clock = new ClusterClock(0, -5);
  assert.equal(clock.at(0), 0);
  clock.meet(0, 2 ** 50);
  assert.equal(clock.at(0), 0);
});

test('a clock that was slow until it met the first member knows what it should have shown', () => {
  const clock = new ClusterClock(0, 1000);
  const written = clock.at(500);
  assert.equal(clock.corrected(written), written);
  clock.meet(2000, 1_000_000);
  assert.equal(clock.corrected(written), 998_500, 'one and a half seconds before they met');
  const later = clock.at(2001);
  assert.equal(clock.corrected(later), later);
});

test('a clock that falls behind after it has met a member was right before', () => {
  const clock = new ClusterClock(0, 1000);
  clock.meet(0, 1000);
  const written = clock.at(500);
  // The machine was suspended.
  clock.meet(600, 3_600_000);
  assert.equal(clock.corrected(written), written);
});

test('a write that comes before the first ping of a member does not say what time it is', () => {
  const clock = new ClusterClock(0, 1000);
  const written = clock.at(500);
  clock.adopt(2000, 990_000);
  assert.equal(clock.at(2000), 3000);
  clock.meet(2010, 1_000_000);
  assert.equal(clock.corrected(written), 998_490);
});
