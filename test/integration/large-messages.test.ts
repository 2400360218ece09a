// -large between nodes: messages of 4 KB and more, and retained values of that size, on TLS connections. The
// built bundle with real clients.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe } from 'node:test';
import { type Node, restartFlags, type Scenario, scenario } from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const LARGE = '-large=1M';
const CONNECTED = '$SYS/broker/cluster/bulk/connected';
const retained = { retain: true, qos: 1 } as const;

/** A payload that is as long as zigbee2mqtt's list of devices, and differs from others. */
function list(of: string, bytes = 230_000): string {
  return `${of} `.repeat(Math.ceil(bytes / (of.length + 1))).slice(0, bytes);
}

async function holds(scene: Scenario, node: Node, topic: string, value: string): Promise<void> {
  const client = await scene.client(node);
  await client.subscribe(topic, 1);
  await client.until(() => client.texts(topic).at(-1) === value, `${node.name} to hold ${topic}`);
  await client.end();
}

/** A value of the node's figures that comes to be the expected one. */
async function figure(scene: Scenario, node: Node, topic: string, value: string): Promise<void> {
  const client = await scene.client(node);
  await client.subscribe(topic);
  await client.arrival(topic, ({ text }) => text === value);
  await client.end();
}

/** What a new subscriber gets. */
async function retainedAt(scene: Scenario, node: Node, topic: string): Promise<string | undefined> {
  const client = await subscriber(scene, node, topic);
  const marker = `${client.mqtt.options.clientId}/marker`;
  await client.subscribe(marker);
  await client.publish(marker, 'x');
  await client.arrival(marker);
  const [value] = client.texts(topic);
  await client.end();
  return value;
}

async function subscriber(scene: Scenario, node: Node, topic: string): Promise<TestClient> {
  const client = await scene.client(node);
  await client.subscribe(topic, 1);
  return client;
}

describe('-large', { concurrency: 3 }, () => {
  scenario('large messages and sessions reach all nodes whole and in order', async (scene) => {
    const nodes = await scene.localCluster(3, LARGE, '-sys-interval=1');
    const [n1, n2, n3] = nodes;
    assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
    for (const node of nodes) await figure(scene, node, CONNECTED, '2');
    const clients = await Promise.all([n2, n3].map((node) => subscriber(scene, node, 'big/#')));
    const publisher = await scene.client(n1);
    const payloads = [4096, 30_000, 230_000, 900_000].map((bytes, n) => list(`m${n}`, bytes));
    for (const payload of payloads) await publisher.publish('big/x', payload, { qos: 1 });
    for (const client of clients) {
      await client.until(() => client.on('big/x').length === payloads.length, 'all large messages');
      assert.deepEqual(client.texts('big/x'), payloads);
    }
  });

  scenario('a large retained value reaches a late node, and one that restarts', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, LARGE, '-sys-interval=1');
    assert.ok(n1 !== undefined && n2 !== undefined);
    await figure(scene, n1, CONNECTED, '1');
    const publisher = await scene.client(n1);
    await publisher.publish('z2m/devices', list('first'), retained);
    await publisher.publish('small', 'value', retained);
    await holds(scene, n2, 'z2m/devices', list('first'));
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    const n3 = await scene.startLocal('n3', seed, LARGE, '-sys-interval=1');
    await holds(scene, n3, 'z2m/devices', list('first'));
    await holds(scene, n3, 'small', 'value');
    const flags = await restartFlags(n2);
    await n2.process.kill();
    await n1.sees('offline', n2);
    const mark = n1.mark();
    await publisher.publish('z2m/devices', list('second', 100_000), retained);
    const again = await scene.startLocal('n2', seed, LARGE, '-sys-interval=1', ...flags);
    await n1.sees('online', 'n2', mark);
    await holds(scene, again, 'z2m/devices', list('second', 100_000));
    for (const node of [n1, n3, again]) {
      await figure(scene, node, '$SYS/broker/cluster/retained/differing', '0');
    }
    assert.match(n1.process.output, /large messages reach|cluster online n2/);
  });

  scenario('a value beyond -large removes the one before it on the other nodes', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-large=64k', '-sys-interval=1');
    assert.ok(n1 !== undefined && n2 !== undefined);
    await figure(scene, n1, CONNECTED, '1');
    const publisher = await scene.client(n1);
    const watcher = await subscriber(scene, n2, 'v');
    await publisher.publish('v', list('fits', 50_000), retained);
    await watcher.arrival('v');
    await publisher.publish('v', list('too large', 70_000), retained);
    while ((await retainedAt(scene, n2, 'v')) !== undefined);
    assert.deepEqual(watcher.texts('v'), [list('fits', 50_000)], 'no client has cleared the topic');
    assert.match(n1.process.output, /not forwarded to other nodes.*topic=v/);
  });

  scenario('a node without -large is named, and small messages pass', async (scene) => {
    const n1 = await scene.startLocal('n1', LARGE);
    const n2 = await scene.startLocal('n2', `-mbs=${await n1.process.gossipAddress()}`);
    await n1.sees('online', n2);
    await n1.process.waitFor(/large messages and sessions do not reach a peer.*peer=n2/);
    const watcher = await subscriber(scene, n2, 'x');
    const publisher = await scene.client(n1);
    await publisher.publish('x', list('lost'), { qos: 1 });
    await publisher.publish('x', 'small', { qos: 1 });
    await watcher.arrival('x');
    assert.deepEqual(watcher.texts('x'), ['small']);
  });

  scenario('a value retained before other nodes came agrees without -large too', async (scene) => {
    const n1 = await scene.startLocal('n1', '-sys-interval=1');
    const publisher = await scene.client(n1);
    await publisher.publish('alone', list('alone', 100_000), retained);
    await publisher.publish('small', 'value', retained);
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    const n2 = await scene.startLocal('n2', seed, '-sys-interval=1');
    await holds(scene, n2, 'small', 'value');
    await figure(scene, n2, '$SYS/broker/cluster/retained/differing', '0');
  });

  scenario('nodes that sign with different tokens, and accept both, connect', async (scene) => {
    const [old, next] = [scene.file('old', 'old\nnext\n'), scene.file('next', 'next\nold\n')];
    const flags = [LARGE, '-sys-interval=1'];
    const n1 = await scene.startLocal('n1', `-csk-file=${old}`, ...flags);
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    const n2 = await scene.startLocal('n2', `-csk-file=${next}`, seed, ...flags);
    for (const node of [n1, n2]) await figure(scene, node, CONNECTED, '1');
  });

  scenario('a stranger on the TCP port is refused and counted', async (scene) => {
    const n1 = await scene.startLocal('n1', LARGE, '-sys-interval=1');
    const port = Number(await n1.process.syncPort());
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await new Promise((done) => socket.once('close', done));
    await figure(scene, n1, '$SYS/broker/cluster/bulk/refusedConnections', '1');
    assert.match(n1.process.output, /connection from another node refused/);
  });
});
