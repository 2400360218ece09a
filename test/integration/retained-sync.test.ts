// Retained values on several nodes, as clients see them: after a late join, a restart, loss, and a
// partition with writes on both sides. The built bundle, real clients, real namespaces.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { threeBoxes } from './support/boxes.ts';
import {
  type Node,
  networkScenario,
  restartFlags,
  type Scenario,
  scenario,
} from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const retained = { retain: true, qos: 1 } as const;

const WAIT_MS_MAX = 60_000;

/**
 * What a client that subscribes now is sent as retained, until the values are as expected: an empty one for a
 * topic that has none. Only a further subscription shows that a value is gone.
 */
async function holds(
  scene: Scenario,
  node: Node,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const topics = Object.keys(expected);
  const [kept, gone] = [
    topics.filter((topic) => expected[topic] !== ''),
    topics.filter((topic) => expected[topic] === ''),
  ];
  const startedAt = performance.now();
  for (;;) {
    const client = await scene.client(node);
    await client.subscribe(topics, 1);
    const isHere = (): boolean =>
      kept.every((topic) => client.texts(topic).at(-1) === expected[topic]);
    await client.until(isHere, `${node.name} to hold ${JSON.stringify(expected).slice(0, 200)}`);
    await hearsItself(client);
    const left = gone.filter((topic) => (client.texts(topic).at(-1) ?? '') !== '');
    await client.end();
    if (left.length === 0) return;
    const waited = performance.now() - startedAt;
    assert.ok(waited < WAIT_MS_MAX, `${node.name} still holds ${left.join()}`);
  }
}

/** What the node had sent to the client before has arrived then. */
async function hearsItself(client: TestClient): Promise<void> {
  const topic = `${client.mqtt.options.clientId}/marker`;
  await client.subscribe(topic);
  await client.publish(topic, 'x');
  await client.arrival(topic);
}

async function set(client: TestClient, values: Readonly<Record<string, string>>): Promise<void> {
  const all = Object.entries(values).map(([topic, value]) =>
    client.publish(topic, value, retained),
  );
  await Promise.all(all);
}

function valuesOf(prefix: string, count: number, tag: string): Record<string, string> {
  const entries = Array.from({ length: count }, (_, n) => [`${prefix}/${n}`, `${tag} ${n}`]);
  return Object.fromEntries(entries) as Record<string, string>;
}

describe('retained values', { concurrency: 3 }, () => {
  scenario('a node that joins late has every retained value, and no cleared one', async (scene) => {
    const [n1, n2] = await scene.localCluster(2);
    assert.ok(n1 !== undefined && n2 !== undefined);
    const [one, two] = await Promise.all([scene.client(n1), scene.client(n2)]);
    const values = { ...valuesOf('a', 500, 'one'), 'a/large': 'x'.repeat(4000) };
    await set(one, values);
    await set(two, { ...valuesOf('b', 500, 'two'), gone: 'x' });
    await set(one, { gone: '' });
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    const n3 = await scene.startLocal('n3', seed);
    await holds(scene, n3, { ...values, ...valuesOf('b', 500, 'two'), gone: '' });
  });

  scenario(
    'an expired value is gone on all nodes, and a late joiner makes none differ',
    async (scene) => {
      const [n1, n2] = await scene.localCluster(2, '-sys-interval=1');
      assert.ok(n1 !== undefined && n2 !== undefined);
      const properties = { messageExpiryInterval: 1 };
      await (await scene.client(n1)).publish('brief', 'x', { ...retained, properties });
      const figure = async (node: Node, name: string, value: string): Promise<void> => {
        const topic = `$SYS/broker/cluster/retained/${name}`;
        const client = await scene.client(node);
        await client.subscribe(topic);
        await client.arrival(topic, ({ text }) => text === value);
        await client.end();
      };
      for (const node of [n1, n2]) await figure(node, 'cleared', '1');
      const n3 = await scene.startLocal(
        'n3',
        `-mbs=${await n1.process.gossipAddress()}`,
        '-sys-interval=1',
      );
      await figure(n3, 'cleared', '1');
      for (const node of [n1, n2, n3]) await figure(node, 'differing', '0');
    },
  );

  scenario('a subscriber that connects while a repair runs gets every value', async (scene) => {
    const [n1] = await scene.localCluster(2);
    assert.ok(n1 !== undefined);
    const values = valuesOf('many', 5000, 'value');
    await set(await scene.client(n1), values);
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    // A repair is faster than a client on a busy machine: its queue takes all values.
    const n3 = scene.launch('n3', seed, '-max-queued-messages=10000');
    await n3.process.mqttPort();
    const client = await scene.client(n3);
    await client.subscribe('many/#', 1);
    const isWhole = (): boolean =>
      new Set(client.arrivals.map(({ topic }) => topic)).size === Object.keys(values).length;
    await client.until(isWhole, 'a QoS 1 subscriber to have all 5000 values', 60_000);
  });

  scenario('a node that restarts without data gets its own values back', async (scene) => {
    const [n1, n2] = await scene.localCluster(2);
    assert.ok(n1 !== undefined && n2 !== undefined);
    const flags = await restartFlags(n1);
    const client = await scene.client(n1);
    await set(client, valuesOf('a', 100, 'first'));
    await holds(scene, n2, valuesOf('a', 100, 'first'));
    await n1.process.kill();
    const again = await scene.startLocal(
      'n1',
      `-mbs=${await n2.process.gossipAddress()}`,
      ...flags,
    );
    await holds(scene, again, valuesOf('a', 100, 'first'));
  });

  scenario(
    'a node with -data that was away brings nothing back that was cleared',
    async (scene) => {
      const data = scene.file('marker', '').replace('marker', 'data');
      const n1 = await scene.startLocal('n1');
      const seed = `-mbs=${await n1.process.gossipAddress()}`;
      const n2 = await scene.startLocal('n2', seed, `-data=${data}`);
      await n1.sees('online', n2);
      const flags = await restartFlags(n2);
      const one = await scene.client(n1);
      await set(one, { kept: 'old', cleared: 'old' });
      await holds(scene, n2, { kept: 'old', cleared: 'old' });
      await n2.process.kill();
      await set(one, { kept: 'new', cleared: '' });
      const again = await scene.startLocal('n2', seed, `-data=${data}`, ...flags);
      await holds(scene, again, { kept: 'new', cleared: '' });
      await holds(scene, n1, { kept: 'new', cleared: '' });
    },
  );

  scenario('a value too large to cross removes the one that it replaces', async (scene) => {
    const [n1, n2] = await scene.localCluster(2);
    assert.ok(n1 !== undefined && n2 !== undefined);
    const one = await scene.client(n1);
    const large = 'x'.repeat(10_000);
    await set(one, { list: 'small' });
    const subscriber = await scene.client(n2);
    await subscriber.subscribe(['list', 'next']);
    await subscriber.arrival('list');
    await set(one, { list: large });
    await holds(scene, n2, { list: '' });
    await holds(scene, n1, { list: large });
    await one.publish('next', 'x');
    await subscriber.arrival('next');
    assert.deepEqual(subscriber.texts('list'), ['small'], 'no client has cleared the topic');
  });

  networkScenario(
    'after a partition with writes on both sides all boxes hold the newer values',
    ['nft'],
    async (scene, context) => {
      const { network, nodes } = await threeBoxes(scene);
      const [box1, box2, box3] = nodes;
      const clients = await Promise.all(nodes.map((node) => scene.client(node)));
      const [one, , three] = clients;
      assert.ok(one !== undefined && three !== undefined);
      await set(one, valuesOf('a', 200, 'before'));
      await holds(scene, box3, valuesOf('a', 200, 'before'));
      const mark = box1.mark();
      network.cut('box3', ['box1', 'box2']);
      await box1.sees('offline', box3, mark);
      await set(three, valuesOf('a', 200, 'three'));
      await set(one, { ...valuesOf('a', 100, 'one'), 'a/150': '' });
      const expected = {
        ...valuesOf('a', 200, 'three'),
        ...valuesOf('a', 100, 'one'),
        'a/150': '',
      };
      const watcher = await scene.client(box3);
      await watcher.subscribe('a/#', 1);
      network.heal('box3');
      const healedAt = performance.now();
      for (const box of [box1, box2, box3]) await holds(scene, box, expected);
      context.diagnostic(`all agree ${Math.round(performance.now() - healedAt)} ms after the heal`);
      // A client that was subscribed all the time has received the newer values last.
      const isNewest = (): boolean =>
        Object.entries(expected).every(([topic, value]) => watcher.texts(topic).at(-1) === value);
      await watcher.until(isNewest, 'a subscriber to have the newest values last');
    },
  );

  networkScenario(
    'at 20 % loss all boxes come to hold the same',
    ['nft'],
    async (scene, context) => {
      const { network, nodes } = await threeBoxes(scene);
      for (const box of ['box1', 'box2', 'box3']) network.lose(box, 20);
      const clients = await Promise.all(nodes.map((node) => scene.client(node)));
      await Promise.all(
        clients.map((client, index) => set(client, valuesOf(`b${index}`, 300, 'lossy'))),
      );
      const writtenAt = performance.now();
      const expected = {
        ...valuesOf('b0', 300, 'lossy'),
        ...valuesOf('b1', 300, 'lossy'),
        ...valuesOf('b2', 300, 'lossy'),
      };
      for (const node of nodes) await holds(scene, node, expected);
      context.diagnostic(
        `equal ${Math.round(performance.now() - writtenAt)} ms after the last write`,
      );
    },
  );

  scenario('-retained-sync=off keeps to what was sent live', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-retained-sync=off');
    assert.ok(n1 !== undefined && n2 !== undefined);
    const one = await scene.client(n1);
    await set(one, { early: 'x' });
    await holds(scene, n2, { early: 'x' });
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    const n3 = await scene.startLocal('n3', seed, '-retained-sync=off');
    await n1.sees('online', n3);
    const three = await scene.client(n3);
    await three.subscribe(['early', 'late'], 1);
    await set(one, { late: 'x' });
    await three.arrival('late');
    assert.deepEqual(three.texts('early'), []);
  });
});
