// Holds the list of metrics, from which docs/sys-topics.md is made, against what two nodes really
// publish: no topic is missing in the list, and the list has none that a node does not publish.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Metric } from '../../src/metrics/metric.ts';
import { metricGroups } from '../../src/metrics/metric-list.ts';
import { type Node, type Scenario, scenario } from './support/scenario.ts';

const PREFIX = '$SYS/broker/';

/** Every topic of the list below PREFIX, a label or an averaging time as one level of any name. */
function listedTopics(): RegExp[] {
  // These nodes are on loopback, where no node calls others or takes an address, and in no other program.
  const { address: _address, beacon: _beacon, program: _program, ...groups } = metricGroups;
  const metrics: Metric[] = Object.values(groups).flatMap((group) => Object.values(group));
  return metrics
    .flatMap(({ sysTopics, load }) => [...sysTopics, ...(load ? [`load/${load}/{minutes}`] : [])])
    .map((topic) => new RegExp(`^${topic.replace(/\{\w+\}/g, '[^/]+')}$`));
}

/** A rule that needs no far side: the figures of a bridge are there before it connects. */
const BRIDGE = `[[bridge]]
name = "hq"
address = "mqtt://127.0.0.1:1"
client-id = "site"
topics = ["# out"]
`;

scenario(
  'a node publishes the $SYS topics of the list of metrics, all and only those',
  async (scene) => {
    const data = join(scene.file('marker', ''), '../data');
    const config = `-config=${scene.file('bridge.toml', BRIDGE)}`;
    const flags = ['-sys-interval=1s', '-large=1M', '-roaming'];
    const [node] = await scene.localCluster(2, ...flags, '-shared=cluster');
    assert.ok(node !== undefined);
    const seed = `-mbs=${await node.process.gossipAddress()}`;
    const own = [`-data=${data}`, config];
    const stored = await scene.startLocal('n3', seed, ...flags, ...own, '-shared=cluster');
    await stored.sees('online', node);
    // This option and -shared=cluster exclude each other.
    const other = await scene.startLocal('n4', '-sys-interval=1s', '-forward=interest');
    const published = new Set([
      ...(await topicsOf(scene, stored, [
        'cluster/peers/wrongMode',
        'storage/accepting',
        'cluster/members/n1/rtt',
        'bridges/hq/connected',
        'guards/slow subscribers/slow',
      ])),
      ...(await topicsOf(scene, other, ['cluster/interest/differing'])),
    ]);
    // These are no figures.
    for (const topic of ['cluster/event', 'connection/hq/state']) published.delete(topic);
    const listed = listedTopics();
    const unlisted = [...published].filter((topic) => !listed.some((one) => one.test(topic)));
    const unpublished = listed.filter((one) => ![...published].some((topic) => one.test(topic)));
    assert.deepEqual({ unlisted, unpublished }, { unlisted: [], unpublished: [] });
  },
);

/** @param last topics of the groups that a round publishes last; from then on every topic is retained */
async function topicsOf(scene: Scenario, node: Node, last: readonly string[]): Promise<string[]> {
  const slow = await scene.client(node, {
    clientId: 'slow',
    protocolVersion: 5,
    properties: { receiveMaximum: 1 },
  });
  await slow.subscribe('jobs', 1);
  // It acknowledges nothing, so the second message waits.
  slow.mqtt.handleMessage = () => undefined;
  const client = await scene.client(node);
  for (const job of ['one', 'two']) await client.mqtt.publishAsync('jobs', job, { qos: 1 });
  await client.subscribe(`${PREFIX}#`);
  for (const topic of last) await client.arrival(PREFIX + topic);
  return client.arrivals.map(({ topic }) => topic.slice(PREFIX.length));
}
