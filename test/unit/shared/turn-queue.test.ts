import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnQueue } from '../../../src/shared/turn-queue.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function queueOf(budget: number) {
  const queue = new TurnQueue(budget);
  const done: number[] = [];
  const add = (number: number, used: number): void =>
    queue.add(() => {
      done.push(number);
      return used;
    });
  return { add, done };
}

test('jobs are done in their order, in each turn what fits into its budget', async () => {
  const { add, done } = queueOf(5_000);
  add(0, 4_000);
  add(1, 10_000);
  add(2, 10_000);
  add(3, 200);
  assert.deepEqual(done, []);
  await turn();
  assert.deepEqual(done, [0, 1]);
  add(4, 200);
  await turn();
  assert.deepEqual(done, [0, 1, 2]);
  await turn();
  assert.deepEqual(done, [0, 1, 2, 3, 4]);
  add(5, 10_000);
  await turn();
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5]);
});

test('a job that turns out to be over takes no turn', async () => {
  const { add, done } = queueOf(1);
  for (const number of [0, 1, 2]) add(number, 0);
  for (const number of [3, 4]) add(number, 1);
  await turn();
  assert.deepEqual(done, [0, 1, 2, 3]);
});
