// The alerts and the Grafana dashboard of docs/deploy name metrics that exist.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Metric } from '../../../src/metrics/metric.ts';
import { metricGroups } from '../../../src/metrics/metric-list.ts';

const metrics: Metric[] = Object.values(metricGroups).flatMap((group) => Object.values(group));

/** Names of the series that Prometheus has. */
const names = new Set(
  metrics.flatMap(({ name, kind }) =>
    kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);

for (const file of ['docs/deploy/alerts.yml', 'docs/deploy/grafana-dashboard.json']) {
  test(`${file} names metrics that exist`, () => {
    const used = [...readFileSync(file, 'utf8').matchAll(/\bshoal_[a-z_]+/g)].map(([name]) => name);
    assert.ok(used.length > 8, 'the file names metrics');
    assert.deepEqual(
      used.filter((name) => !names.has(name)),
      [],
    );
  });
}
