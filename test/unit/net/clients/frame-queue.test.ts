import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameQueue } from '../../../../src/net/clients/frame-queue.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('connections with many frames read on in their order, some in each turn', async () => {
  const queue = new FrameQueue();
  const read: number[] = [];
  const add = (i: number, frames: number): void =>
    queue.add({ readOn: () => read.push(i) }, frames);
  add(0, 4_000);
  add(1, 10_000);
  add(2, 10_000);
  add(3, 200);
  assert.deepEqual(read, []);
  await turn();
  assert.deepEqual(read, [0, 1]);
  add(4, 200);
  await turn();
  assert.deepEqual(read, [0, 1, 2]);
  await turn();
  assert.deepEqual(read, [0, 1, 2, 3, 4]);
  add(5, 10_000);
  await turn();
  assert.deepEqual(read, [0, 1, 2, 3, 4, 5]);
});
