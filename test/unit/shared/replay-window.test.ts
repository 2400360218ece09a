import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplayWindow } from '../../../src/shared/replay-window.ts';
import { seededRandom } from '../../support/random.ts';

/** Counters up to this distance behind the highest are always distinguished (RFC 4303 3.4.3). */
const SPAN = 992;

test('each counter is accepted once', () => {
  const window = new ReplayWindow();
  for (const counter of [1, 2, 5, 4, 3]) assert.equal(window.accept(counter), true);
  for (const counter of [1, 2, 3, 4, 5]) assert.equal(window.accept(counter), false);
  assert.equal(window.highest, 5);
});

test('0 and negative counters are refused', () => {
  const window = new ReplayWindow();
  assert.equal(window.accept(0), false);
  assert.equal(window.accept(-1), false);
  assert.equal(window.highest, 0);
});

test('a counter too old for the window is refused', () => {
  const window = new ReplayWindow();
  window.accept(10_000);
  assert.equal(window.accept(10_000 - SPAN), false);
  assert.equal(window.accept(10_000 - SPAN + 1), true);
});

test('after a jump over the whole window all earlier counters are refused', () => {
  const window = new ReplayWindow();
  for (let counter = 1; counter <= 100; counter++) window.accept(counter);
  window.accept(1_000_000);
  for (let counter = 1; counter <= 100; counter++) assert.equal(window.accept(counter), false);
  assert.equal(window.accept(999_999), true);
});

test('counters beyond 32 bits are valid', () => {
  const window = new ReplayWindow();
  const far = 2 ** 40;
  assert.equal(window.accept(far), true);
  assert.equal(window.accept(far), false);
  assert.equal(window.accept(far - 31), true);
  assert.equal(window.accept(far - 31), false);
  assert.equal(window.accept(far + 1), true);
});

test('in any order the window answers like a set of all counters', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const window = new ReplayWindow();
    const seen = new Set<number>();
    let highest = 0;
    for (let i = 0; i < 5000; i++) {
      const step = random() < 0.01 ? 3000 : 40;
      const counter = Math.max(1, highest + Math.floor((random() - 0.7) * step));
      const isNew = counter > highest - SPAN && !seen.has(counter);
      assert.equal(window.accept(counter), isNew, `seed ${seed}, ${counter} after ${highest}`);
      seen.add(counter);
      highest = Math.max(highest, counter);
    }
  }
});
