import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counter, type Metric, sysValuesOf } from '../../../src/metrics/metric.ts';
import { metricGroups } from '../../../src/metrics/metric-list.ts';

const metrics: Metric[] = Object.values(metricGroups).flatMap((group) => Object.values(group));

test('every metric has a name of its own that Prometheus takes, with its unit and kind at the end', () => {
  assert.equal(new Set(metrics.map(({ name }) => name)).size, metrics.length);
  for (const { name, kind, unit, help } of metrics) {
    assert.match(name, /^shoal_[a-z][a-z0-9_]*$/);
    assert.equal(name.endsWith('_total'), kind === 'counter', name);
    assert.equal(name.endsWith('_info'), kind === 'info', name);
    const bare = name.replace(/_total$/, '');
    if (unit !== 'none') assert.ok(bare.endsWith(`_${unit}`), name);
    assert.doesNotMatch(help, /\.$|\n/, name);
  }
});

test('no two metrics are published on the same topic, and each template names its labels', () => {
  const topics = metrics.flatMap(({ sysTopics }) => sysTopics);
  assert.equal(new Set(topics).size, topics.length);
  for (const { name, sysTopics, labels } of metrics) {
    for (const topic of sysTopics) {
      const named = [...topic.matchAll(/\{(\w+)\}/g)].map(([, label]) => label);
      assert.deepEqual(named, [...labels], name);
    }
  }
});

test("a label's value becomes one topic level, whatever it holds", () => {
  const metric = counter('x', 'x', { sys: 'x/{peer}/y', labels: ['peer'] });
  const values = sysValuesOf(metric, [{ labels: { peer: 'a/b+#$&' }, value: 7 }]);
  assert.deepEqual(values, [{ topic: 'x/a_b__$&/y', text: '7' }]);
});
