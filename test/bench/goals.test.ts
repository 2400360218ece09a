// The tables of docs/performance.md say of each goal whether it is reached.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atLeast, atMost, judged } from './goals.ts';
import { measureRows } from './table.ts';

test('a goal is reached by its own figure and by better ones', () => {
  assert.equal(judged(atLeast(30), 30), '30: reached');
  assert.equal(judged(atLeast(30), 29.9), '30: **not reached**');
  assert.equal(judged(atMost(1.1), 1.1), 'at most 1.1: reached');
  assert.equal(judged(atMost(1.1), 1.2), 'at most 1.1: **not reached**');
});

test('a goal beside a broker that did not run is not judged', () => {
  assert.equal(judged(atLeast(1.8), Number.NaN), '1.8: not measured');
  assert.equal(judged(undefined, 5), '-');
});

test('a row that fails does not end the others, and shows in the exit status', async () => {
  const said: string[] = [];
  const run = { runs: 1, brokers: [], words: [], say: (text: string) => said.push(text) };
  const rows = [
    ['broken', () => Promise.reject(new Error('no broker'))],
    ['good', async () => ({ rate: 1 })],
  ] as const;
  const figures = await measureRows(rows, run);
  const status = process.exitCode;
  process.exitCode = undefined;
  assert.deepEqual(figures, { good: { rate: 1 } });
  assert.deepEqual(said, ['broken', 'failed: broken: Error: no broker', 'good']);
  assert.equal(status, 1);
});
