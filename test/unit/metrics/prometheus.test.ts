// The text for Prometheus: names, labels and histograms as its format has them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram } from '../../../src/metrics/histogram.ts';
import { counter, gauge, histogram, info } from '../../../src/metrics/metric.ts';
import { prometheusText } from '../../../src/metrics/prometheus.ts';

test('numbers, texts and labels become series', () => {
  const text = prometheusText([
    ['sent', counter('sent', 'what was sent'), 7],
    [
      'load',
      gauge('load', 'a \\ b', { labels: ['node'] }),
      [{ labels: { node: 'b"1\n' }, value: 0.5 }],
    ],
    [
      'memberState',
      info('state', 'its state', '', ['node']),
      [{ labels: { node: 'x' }, value: 'alive' }],
    ],
    ['verdict', info('verdict', 'a sentence', ''), 'All well.'],
  ]);
  assert.deepEqual(text.split('\n'), [
    '# HELP shoal_sent_total what was sent',
    '# TYPE shoal_sent_total counter',
    'shoal_sent_total 7',
    '# HELP shoal_load a \\\\ b',
    '# TYPE shoal_load gauge',
    'shoal_load{node="b\\"1\\n"} 0.5',
    '# HELP shoal_state_info its state',
    '# TYPE shoal_state_info gauge',
    'shoal_state_info{node="x",member_state="alive"} 1',
    '',
  ]);
});

test('the buckets of a histogram count all that is not larger', () => {
  const times = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 5]) times.observe(value);
  const text = prometheusText([['time', histogram('wait', 'a wait'), times]]);
  assert.deepEqual(text.split('\n').slice(2, -1), [
    'shoal_wait_seconds_bucket{le="0.1"} 2',
    'shoal_wait_seconds_bucket{le="1"} 3',
    'shoal_wait_seconds_bucket{le="+Inf"} 4',
    'shoal_wait_seconds_sum 5.65',
    'shoal_wait_seconds_count 4',
  ]);
});
