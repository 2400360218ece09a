// The last ten minutes as the page keeps them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinHistory } from '../../../src/dashboard/history.ts';
import type { HistorySample, HistoryView } from '../../../src/http/node-api.ts';

function history(...times: number[]): HistoryView {
  return { samples: times.map((at) => ({ at }) as HistorySample), marks: [] };
}

test('a stream that begins anew repeats no sample', () => {
  const joined = joinHistory(history(1, 2, 3), history(2, 3, 4));
  assert.deepEqual(
    joined.samples.map(({ at }) => at),
    [1, 2, 3, 4],
  );
});

test('ten minutes are kept', () => {
  const times = Array.from({ length: 130 }, (_, index) => index + 1);
  const { samples } = joinHistory(history(), history(...times));
  assert.equal(samples.length, 120);
  assert.equal(samples.at(-1)?.at, 130);
});
