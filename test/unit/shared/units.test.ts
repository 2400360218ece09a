import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentIncrease } from '../../../src/shared/recent-increase.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatNumber,
  formatRate,
  formatShare,
  listOfWords,
} from '../../../src/shared/units.ts';

test('a duration has its two largest parts', () => {
  for (const [ms, text] of [
    [-5, '0 s'],
    [2_999, '2 s'],
    [60_000, '1 min'],
    [252_000, '4 min 12 s'],
    [3 * 3_600_000 + 5 * 60_000, '3 h 5 min'],
    [86_400_000 + 3_600_000, '1 d 1 h'],
    [12 * 86_400_000 + 5 * 3_600_000, '12 d'],
  ] as const) {
    assert.equal(formatDuration(ms), text);
  }
});

test('figures have units and no more digits than they are worth', () => {
  assert.deepEqual([0, 0.41, 12.53, 431, 1250].map(formatLatency), [
    '0.00 ms',
    '0.41 ms',
    '12.5 ms',
    '431 ms',
    '1.25 s',
  ]);
  assert.deepEqual([0, 0.44, 3, 212, 12_400].map(formatRate), ['0', '0.4', '3', '212', '12,400']);
  assert.deepEqual([17, 999, 1000, 4_100_000, 999_900, 2.5e12].map(formatBytes), [
    '17 B',
    '999 B',
    '1 KB',
    '4.1 MB',
    '1 MB',
    '2.5 TB',
  ]);
  assert.equal(formatShare(0.013), '1.30 %');
  assert.equal(formatCount(1_234_567), '1,234,567');
  assert.deepEqual(
    [1, 3].map((count) => formatNumber(count, 'box', 'boxes')),
    ['1 box', '3 boxes'],
  );
});

test('a list of words has an "and" before the last', () => {
  assert.equal(listOfWords([]), '');
  assert.equal(listOfWords(['box1']), 'box1');
  assert.equal(listOfWords(['box1', 'box2', 'box3']), 'box1, box2 and box3');
});

test('an increase counts the last minute only, and never less than that', () => {
  const increase = new RecentIncrease();
  assert.equal(increase.value, 0);
  increase.sample(100, 0);
  assert.equal(increase.value, 0);
  increase.sample(130, 5_000);
  assert.equal(increase.value, 30);
  increase.sample(130, 60_000);
  assert.equal(increase.value, 30);
  increase.sample(131, 66_000);
  assert.equal(increase.value, 1);
  increase.sample(0, 70_000);
  assert.equal(increase.value, 0);
});

test('a rate is that of the window, or of the time since the first sample', () => {
  const increase = new RecentIncrease(10_000);
  increase.sample(100, 0);
  assert.equal(increase.perSecond, 0);
  increase.sample(120, 4_000);
  assert.equal(increase.perSecond, 5);
  increase.sample(120, 10_000);
  increase.sample(120, 14_000);
  assert.equal(increase.perSecond, 0);
});
