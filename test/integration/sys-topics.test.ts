// Holds the list of metrics, from which docs/sys-topics.md is made, against what two nodes really
// publish: no topic is missing in the list, and the list has none that a node does not publish.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Metric } from '../../src/metrics/metric.ts';
import { metricGroups } from '../../src/metrics/metric-list.ts';
import { scenario } from './support/scenario.ts';

const PREFIX = '$SYS/broker/';

/** Every topic of the list below PREFIX, a label or an averaging time as one level of any name. */
function listedTopics(): RegExp[] {
  const metrics: Metric[] = Object.values(metricGroups).flatMap((group) => Object.values(group));
  return metrics
    .flatMap(({ sysTopics, load }) => [...sysTopics, ...(load ? [`load/${load}/{minutes}`] : [])])
    .map((topic) => new RegExp(`^${topic.replace(/\{\w+\}/g, '[^/]+')}$`));
}

scenario(
  'a node publishes the $SYS topics of the list of metrics, all and only those',
  async (scene) => {
    const data = join(scene.file('marker', ''), '../data');
    const flags = ['-sys-interval=1s', '-shared=cluster'];
    const [node] = await scene.localCluster(2, ...flags);
    assert.ok(node !== undefined);
    const seed = `-mbs=${await node.process.gossipAddress()}`;
    const stored = await scene.startLocal('n3', seed, ...flags, `-data=${data}`);
    await stored.sees('online', node);
    const client = await scene.client(stored);
    await client.subscribe(`${PREFIX}#`);
    // The last group to be published in a round; from then on every topic is retained.
    await client.arrival(`${PREFIX}cluster/peers/wrongMode`);
    await client.arrival(`${PREFIX}storage/accepting`);
    await client.arrival(`${PREFIX}cluster/members/n1/rtt`);
    const published = new Set(client.arrivals.map(({ topic }) => topic.slice(PREFIX.length)));
    published.delete('cluster/event');
    const listed = listedTopics();
    const unlisted = [...published].filter((topic) => !listed.some((one) => one.test(topic)));
    const unpublished = listed.filter((one) => ![...published].some((topic) => one.test(topic)));
    assert.deepEqual({ unlisted, unpublished }, { unlisted: [], unpublished: [] });
  },
);
