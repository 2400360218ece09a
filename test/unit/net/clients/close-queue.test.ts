import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CloseQueue } from '../../../../src/net/clients/close-queue.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('connections of clients that leave in the same moment are closed in several turns', async () => {
  const queue = new CloseQueue();
  const closed: number[] = [];
  const add = (i: number): void => queue.add({ close: () => closed.push(i) });
  for (let i = 0; i < 250; i++) add(i);
  assert.deepEqual(closed, []);
  await turn();
  assert.equal(closed.length, 100);
  add(250);
  await turn();
  assert.equal(closed.length, 200);
  await turn();
  assert.deepEqual(
    closed,
    Array.from({ length: 251 }, (_, i) => i),
  );
  add(251);
  await turn();
  assert.equal(closed.length, 252);
});
