import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyHistogram } from '../../../src/cli/bench/latency-histogram.ts';

test('percentiles are exact to 2 %, over six orders of magnitude', () => {
  const histogram = new LatencyHistogram();
  const values = Array.from({ length: 1000 }, (_, index) => 0.01 * 1.015 ** index);
  for (const value of values) histogram.add(value);
  for (const share of [0.5, 0.9, 0.99, 0.999]) {
    const exact = values[Math.ceil(share * values.length) - 1] ?? 0;
    assert.ok(Math.abs(histogram.percentile(share) / exact - 1) < 0.02, `${share}`);
  }
  assert.equal(histogram.percentile(1), histogram.maxMs);
});

test('an empty histogram has percentiles of 0, and no value is below the smallest bucket', () => {
  const histogram = new LatencyHistogram();
  assert.equal(histogram.percentile(0.99), 0);
  histogram.add(0);
  assert.equal(histogram.percentile(0.5), 0);
});
