import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coverage, type Range } from '../../../src/replica/coverage.ts';
import { seededRandom } from '../../support/random.ts';

test('numbers in order move the position', () => {
  const coverage = new Coverage();
  for (let n = 1; n <= 5; n++) coverage.cover(n, n);
  assert.equal(coverage.position, 5);
  assert.deepEqual(coverage.beyond, []);
});

test('a gap holds the position until it is filled', () => {
  const coverage = new Coverage();
  coverage.cover(1, 3);
  coverage.cover(7, 9);
  assert.equal(coverage.position, 3);
  coverage.cover(4, 6);
  assert.equal(coverage.position, 9);
});

test('what another node has more is listed, gaps included', () => {
  const ours = new Coverage();
  ours.cover(1, 3);
  ours.cover(6, 6);
  const theirs = new Coverage();
  theirs.cover(1, 8);
  theirs.cover(11, 12);
  assert.deepEqual(ours.lacking(theirs, 10), [range(4, 5), range(7, 8), range(11, 12)]);
  assert.deepEqual(ours.lacking(theirs, 2), [range(4, 5), range(7, 8)]);
  assert.deepEqual(theirs.lacking(ours, 10), []);
});

test('the ranges are those of a plain set, whatever comes in whatever order', () => {
  const random = seededRandom(11);
  for (let round = 0; round < 200; round++) {
    const coverage = new Coverage();
    const set = new Set<number>();
    for (let step = 0; step < 30; step++) {
      const from = 1 + Math.floor(random() * 60);
      const to = from + Math.floor(random() * 5);
      coverage.cover(from, to);
      for (let n = from; n <= to; n++) set.add(n);
    }
    const listed = [...coverage.ranges()].flatMap(({ from, to }) =>
      Array.from({ length: to - from + 1 }, (_, n) => from + n),
    );
    assert.deepEqual(
      listed,
      [...set].sort((a, b) => a - b),
    );
    const covered = coverage.firstCovered(range(20, 40));
    const first = listed.find((n) => n >= 20 && n <= 40);
    assert.equal(covered?.from, first);
  }
});

function range(from: number, to: number): Range {
  return { from, to };
}
