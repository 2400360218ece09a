import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runRandomSchedule, transcriptOf } from './random-schedule.ts';

/** Seeds that once found a fault. */
const REMEMBERED = [
  { seed: 2, why: 'after a stall the steps of the old round were worked off one by one' },
  { seed: 96, why: 'two nodes that each held an old boot of the other never spoke' },
  { seed: 782, why: 'the same with an impostor that had taken the name meanwhile' },
];

for (const { seed, why } of REMEMBERED) {
  test(`random faults end well with seed ${seed} (${why})`, () => runRandomSchedule(seed));
}

test('random faults end well, whatever the seed', () => {
  const seed = Number(process.env.SHOAL_SIM_SEED ?? Math.floor(Math.random() * 1e9));
  for (let offset = 0; offset < 25; offset++) runRandomSchedule(seed + offset);
});

test('the same seed gives the same run', () => {
  assert.deepEqual(transcriptOf(7), transcriptOf(7));
});
