// -forward=interest on three boxes: a link carries what the other box subscribes to, a new subscription is
// served at once, and nothing that was not sent on purpose counts as lost.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Network } from '../support/network.ts';
import { threeBoxes } from './support/boxes.ts';
import { networkScenario, type Scenario, scenario } from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const MESSAGES = 2000;
const PEERS = '$SYS/broker/cluster/peers';
const KNOWN = '$SYS/broker/cluster/interest/knownNodes';

/** Bytes that have arrived at the box, of all protocols. */
function receivedBytes(network: Network, host: string): number {
  const [command = '', ...via] = network.via(host);
  const file = '/sys/class/net/eth0/statistics/rx_bytes';
  return Number(execFileSync(command, [...via, 'cat', file], { encoding: 'utf8' }));
}

/** Publishes until the subscriber hears of it. @returns after how many ms that was */
async function untilHeard(from: TestClient, topic: string, to: TestClient): Promise<number> {
  const startedAt = performance.now();
  const before = to.on(topic).length;
  while (to.on(topic).length === before) {
    await from.publish(topic, 'heard?', { qos: 1 });
    await delay(10);
    assert.ok(performance.now() - startedAt < 10_000, 'the subscription is never heard of');
  }
  return performance.now() - startedAt;
}

async function publishMany(client: TestClient, topic: string): Promise<void> {
  const payload = Buffer.alloc(200, 120);
  for (let i = 0; i < MESSAGES; i++) await client.publish(topic, payload, { qos: 1 });
}

/** A client that watches the node's own figures. */
async function figures(scene: Scenario, node: Parameters<Scenario['client']>[0]) {
  const client = await scene.client(node);
  await client.subscribe([`${PEERS}/#`, KNOWN]);
  return client;
}

/** The figures after everything so far. */
async function latest(client: TestClient, topic: string): Promise<number> {
  const beats = `${PEERS}/sentHeartbeats`;
  const count = client.on(beats).length;
  // A figure that has not changed is not published again.
  await client.until(() => client.on(beats).length > count + 1, beats);
  return Number(client.texts(topic).at(-1));
}

describe('-forward=interest', { concurrency: 1 }, () => {
  networkScenario(
    'a box that subscribes to nothing gets heartbeats only, and a new subscription is served within a second',
    [],
    async (scene, context) => {
      const { network, nodes } = await threeBoxes(scene, {
        flags: ['-forward=interest', '-sys-interval=1'],
      });
      const [one, two, three] = nodes;
      const watcher = await figures(scene, one);
      await watcher.until(() => watcher.texts(KNOWN).at(-1) === '2', 'filters of both boxes');
      const publisher = await scene.client(one);
      const third = await scene.client(three);
      await third.subscribe('t/#', 1);
      await untilHeard(publisher, 't/x', third);
      const before = { two: receivedBytes(network, 'box2'), three: receivedBytes(network, 'box3') };
      await publishMany(publisher, 't/x');
      const twoBytes = receivedBytes(network, 'box2') - before.two;
      const threeBytes = receivedBytes(network, 'box3') - before.three;
      context.diagnostic(`${MESSAGES} messages: ${twoBytes} bytes to box2, ${threeBytes} to box3`);
      assert.ok(threeBytes > MESSAGES * 200);
      assert.ok(twoBytes < threeBytes / 10);
      const second = await scene.client(two);
      await second.subscribe('t/+', 1);
      const ms = await untilHeard(publisher, 't/y', second);
      context.diagnostic(`a new subscription is served after ${Math.round(ms)} ms`);
      assert.ok(ms < 1000);
      assert.ok((await latest(watcher, `${PEERS}/skippedMessages`)) >= MESSAGES);
      assert.equal(await latest(watcher, `${PEERS}/lostOutMessages`), 0);
    },
  );

  scenario(
    'an absent session, a shared subscription and a restarted node get their messages',
    async (scene) => {
      const [n1, n2] = await scene.localCluster(3, '-forward=interest', '-sys-interval=1');
      assert.ok(n1 !== undefined && n2 !== undefined);
      const session = { clientId: 'absent', properties: { sessionExpiryInterval: 600 } };
      const absent = await scene.client(n2, session);
      await absent.subscribe('to/absent', 1);
      const shared = await scene.client(n2);
      await shared.subscribe('$share/g/jobs/+', 1);
      const publisher = await scene.client(n1);
      await untilHeard(publisher, 'to/absent', absent);
      await untilHeard(publisher, 'jobs/1', shared);
      await absent.end();
      await publisher.publish('to/absent', 'while away', { qos: 1 });
      await publisher.publish('jobs/1', 'marker', { qos: 1 });
      await shared.arrival('jobs/1', ({ text }) => text === 'marker');
      const back = await scene.client(n2, { ...session, clean: false });
      await back.arrival('to/absent', ({ text }) => text === 'while away');
      await n2.process.kill();
      await n1.sees('offline', n2);
      const mark = n1.mark();
      const again = await scene.startLocal(
        'n2',
        `-mbs=${await n1.process.gossipAddress()}`,
        '-forward=interest',
        '-sys-interval=1',
      );
      await n1.sees('online', 'n2', mark);
      const subscriber = await scene.client(again);
      await subscriber.subscribe('new', 1);
      assert.ok((await untilHeard(publisher, 'new', subscriber)) < 1000);
      const watcher = await figures(scene, again);
      assert.equal(await latest(watcher, `${PEERS}/lostMessages`), 0);
    },
  );

  scenario('a node with -forward=all gets and sends everything', async (scene) => {
    const n1 = await scene.startLocal('n1', '-forward=interest');
    const n2 = await scene.startLocal('n2', `-mbs=${await n1.process.gossipAddress()}`);
    await n1.sees('online', n2);
    const [one, two] = [await scene.client(n1), await scene.client(n2)];
    await one.subscribe('to/one', 1);
    await two.subscribe('to/two', 1);
    await one.publish('to/two', 'x', { qos: 1 });
    await two.publish('to/one', 'y', { qos: 1 });
    await two.arrival('to/two');
    await one.arrival('to/one');
  });
});
