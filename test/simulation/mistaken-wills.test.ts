// Wills that nodes publish for clients that are alive, because a partition hides them: when the nodes meet
// again, a device that is connected is `online` on all nodes, and one that died meanwhile is `offline`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientCluster, type ClientNode } from '../support/client-cluster.ts';
import type { TestClient } from '../support/mqtt-world.ts';

const STATE = 'device/state';

function device(node: ClientNode, clientId = 'device', topic = STATE): TestClient {
  const will = { topic, payload: 'offline', qos: 1, retain: true } as const;
  const client = node.world.connect(clientId, { will });
  client.publish(topic, 'online', { qos: 1, retain: true });
  return client;
}

function dashboard(node: ClientNode): TestClient {
  const client = node.world.connect(`dashboard on ${node.name}`);
  client.subscribe([{ filter: STATE, qos: 1 }]);
  return client;
}

function retained({ world }: ClientNode, topic = STATE): string | undefined {
  return world.broker.retainedMessage(topic)?.payload.toString();
}

/** A small cluster whose device is at the first node, and a dashboard at each. */
function scene(seed: number): {
  cluster: ClientCluster;
  nodes: [ClientNode, ClientNode, ClientNode];
  client: TestClient;
  dashboards: TestClient[];
} {
  const cluster = new ClientCluster(3, seed);
  const [a, b, c] = cluster.nodes;
  assert.ok(a && b && c);
  cluster.pass(2000);
  const dashboards = [a, b, c].map(dashboard);
  const client = device(a);
  cluster.pass(1000);
  for (const one of dashboards) assert.deepEqual(one.payloads(), ['online']);
  return { cluster, nodes: [a, b, c], client, dashboards };
}

for (let seed = 1; seed <= 20; seed++) {
  test(`a device that is connected is online again on all nodes after a partition (seed ${seed})`, () => {
    const { cluster, nodes, dashboards } = scene(seed);
    const [a, b, c] = nodes;
    cluster.loss = seed % 4 === 0 ? 0.2 : 0;
    // In every second run another node is on the device's side.
    if (seed % 2 === 0) cluster.partition(a, c);
    else cluster.partition(a);
    cluster.pass(30_000);
    assert.equal(retained(b), 'offline', 'the other side takes the device for dead');
    cluster.partition();
    cluster.pass(10_000);
    for (const node of nodes) assert.equal(retained(node), 'online', node.name);
    for (const one of dashboards) assert.equal(one.payloads().at(-1) ?? 'online', 'online');
    assert.ok(a.clients.counters.mended >= 1);
    // All nodes know again where the device is, so the others publish its will when its node is cut off.
    cluster.loss = 0;
    cluster.pass(5000);
    cluster.partition(a);
    cluster.pass(20_000);
    assert.equal(retained(b), 'offline');
  });

  test(`a device that died in a partition stays offline (seed ${seed})`, () => {
    const { cluster, nodes, client } = scene(seed);
    cluster.partition(nodes[0]);
    cluster.pass(20_000);
    client.lose();
    cluster.pass(10_000);
    cluster.partition();
    cluster.pass(10_000);
    for (const node of nodes) assert.equal(retained(node), 'offline', node.name);
    assert.equal(nodes[0].clients.counters.mended, 0);
  });
}

test('a client whose node is gone has five seconds to connect elsewhere before its will is published', () => {
  const { cluster, nodes, dashboards } = scene(1);
  const [a, b] = nodes;
  device(a, 'other', 'other/state');
  cluster.pass(1000);
  cluster.partition(a);
  // The others see the node offline after 4 s.
  cluster.pass(8000);
  device(b);
  cluster.pass(10_000);
  for (const one of dashboards) assert.ok(!one.payloads().includes('offline'));
  assert.equal(retained(b, 'other/state'), 'offline');
});

test('a value that another client published to the topic of a will meanwhile is kept', () => {
  const { cluster, nodes } = scene(1);
  const [a, b] = nodes;
  cluster.partition(a);
  cluster.pass(30_000);
  const admin = b.world.connect('admin');
  admin.publish(STATE, 'in repair', { qos: 1, retain: true });
  cluster.partition();
  cluster.pass(10_000);
  for (const node of nodes) assert.equal(retained(node), 'in repair', node.name);
});

test('a device that moved during the partition is online, and both sides agree where', () => {
  const { cluster, nodes } = scene(2);
  const [a, b] = nodes;
  cluster.partition(a);
  cluster.pass(30_000);
  device(b);
  cluster.pass(1000);
  cluster.partition();
  cluster.pass(10_000);
  for (const node of nodes) assert.equal(retained(node), 'online', node.name);
  assert.equal(a.world.broker.isConnected('device'), false);
  assert.equal(b.world.broker.isConnected('device'), true);
});
