import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunClock } from '../../../src/storage/run-clock.ts';

const WALL = Date.UTC(2026, 5, 1);
const HOUR = 3_600_000;

/** What remains at `present` of an hour that began with the first block, in ms. */
function left(
  blocks: readonly { run: bigint; wall: number; mono: number }[],
  present: { wall: number; mono: number },
): number {
  const clock = new RunClock();
  let deadline = 0;
  for (const [i, { run, ...stamp }] of blocks.entries()) {
    const base = clock.enter(run, stamp);
    if (i === 0) deadline = base + stamp.mono + HOUR;
  }
  return deadline + clock.toPresent(present) - present.mono;
}

test('within a run only the monotonic clock counts, however the wall clock jumps', () => {
  const blocks = [
    { run: 1n, wall: 0, mono: 100 },
    { run: 1n, wall: WALL, mono: 700 },
  ];
  assert.equal(left(blocks, { wall: WALL + 5, mono: 0 }), HOUR - 605);
});

test('between two runs the wall clock gives the downtime', () => {
  const blocks = [
    { run: 1n, wall: WALL, mono: 50_000 },
    { run: 2n, wall: WALL + 1000, mono: 10 },
    { run: 2n, wall: WALL + 3000, mono: 2010 },
  ];
  assert.equal(left(blocks, { wall: WALL + 7000, mono: 99 }), HOUR - 7000);
});

test('no time passes if the wall clock went back or is not set', () => {
  const block = { run: 1n, wall: WALL, mono: 50 };
  assert.equal(left([block], { wall: WALL - 90 * HOUR, mono: 5 }), HOUR);
  assert.equal(left([block], { wall: 0, mono: 5 }), HOUR);
  assert.equal(left([{ ...block, wall: 12_345 }], { wall: WALL, mono: 5 }), HOUR);
});

test('blocks of one run may be read in a different order than written', () => {
  const blocks = [
    { run: 1n, wall: WALL, mono: 100 },
    { run: 1n, wall: WALL + 900, mono: 1000 },
    { run: 1n, wall: WALL + 300, mono: 400 },
  ];
  assert.equal(left(blocks, { wall: WALL + 900, mono: 0 }), HOUR - 900);
});
