import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fifo } from '../../../src/shared/fifo.ts';
import { collectGarbage } from '../../support/heap-summary.ts';

test('items leave in the order in which they came, however many wait', () => {
  const fifo = new Fifo<number>();
  let pushed = 0;
  let taken = 0;
  for (const waiting of [1, 10, 3000, 2, 5000, 0]) {
    while (fifo.size < waiting) fifo.push(pushed++);
    while (fifo.size > waiting) assert.equal(fifo.shift(), taken++);
    for (let i = 0; i < 2500 && waiting > 0; i++) {
      fifo.push(pushed++);
      assert.equal(fifo.shift(), taken++);
    }
    assert.equal(fifo.size, waiting);
  }
  assert.equal(taken, pushed);
  assert.equal(fifo.shift(), undefined);
  fifo.push(1);
  fifo.clear();
  assert.equal(fifo.size, 0);
});

test('a queue that is never empty keeps nothing that has left it', async () => {
  const fifo = new Fifo<object>();
  const left: WeakRef<object>[] = [];
  for (let i = 0; i < 100; i++) fifo.push({});
  for (let i = 0; i < 1000; i++) {
    fifo.push({});
    left.push(new WeakRef(fifo.shift()!));
  }
  // A WeakRef holds its target until the end of the job that made it.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  const kept = left.filter((reference) => reference.deref() !== undefined).length;
  // The engine may keep the last ones in registers and caches.
  assert.ok(kept <= 5, `${kept} of ${left.length} are in memory`);
  assert.equal(fifo.size, 100);
});
