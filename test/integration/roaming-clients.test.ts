// Clients that move between nodes, and wills of nodes that die, as devices and dashboards see them.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { type Node, type Scenario, scenario } from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const STATE = 'device/state';
const SESSION_TAKEN_OVER = 0x8e;

const device: IClientOptions = {
  clientId: 'device',
  will: { topic: STATE, payload: Buffer.from('offline'), qos: 1, retain: true },
};

async function arrive(scene: Scenario, node: Node): Promise<TestClient> {
  const client = await scene.client(node, device);
  await client.publish(STATE, 'online', { retain: true, qos: 1 });
  return client;
}

/** A dashboard on another node that has seen the device come online. */
async function dashboard(scene: Scenario, node: Node): Promise<TestClient> {
  const client = await scene.client(node);
  await client.subscribe(STATE, 1);
  return client;
}

describe('clients of a cluster', { concurrency: 3 }, () => {
  scenario(
    'a client that connects to another node leaves the first, without its will',
    async (scene) => {
      const [n1, n2, n3] = await scene.localCluster(3);
      assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
      const watcher = await dashboard(scene, n3);
      const first = await arrive(scene, n1);
      await watcher.arrival(STATE);
      const reason = new Promise<number | undefined>((done) => {
        first.mqtt.once('disconnect', (packet) => done(packet.reasonCode));
      });
      const second = await arrive(scene, n2);
      assert.equal(await reason, SESSION_TAKEN_OVER);
      await watcher.until(() => watcher.texts(STATE).length === 2, 'the second birth');
      // What the first node would have said about the device comes before this.
      const marker = await scene.client(n1);
      await marker.publish(STATE, 'marker', { qos: 1 });
      await watcher.arrival(STATE, ({ text }) => text === 'marker');
      assert.deepEqual(watcher.texts(STATE), ['online', 'online', 'marker']);
      assert.match(n1.process.output, /client disconnected.*connected to n2/);
      await second.end();
    },
  );

  scenario('a device that roams between nodes is never declared dead', async (scene) => {
    const nodes = await scene.localCluster(3);
    const [n1] = nodes;
    assert.ok(n1 !== undefined);
    const watcher = await dashboard(scene, n1);
    let last: TestClient | undefined;
    for (let move = 0; move < 60; move++) {
      const node = nodes[move % nodes.length]!;
      // The connection before is not ended: its node would find it dead much later.
      last = await scene.client(node, device);
      await last.publish(STATE, `online ${move}`, { retain: true, qos: 1 });
    }
    await watcher.arrival(STATE, ({ text }) => text === 'online 59');
    assert.ok(watcher.texts(STATE).every((text) => text.startsWith('online')));
    await last?.cut();
    await watcher.arrival(STATE, ({ text }) => text === 'offline');
    const marker = await scene.client(n1);
    await marker.publish('marker', 'x', { qos: 1 });
    assert.equal(watcher.texts(STATE).filter((text) => text === 'offline').length, 1);
  });

  scenario(
    'the will of a client whose node dies is published once, on all nodes',
    async (scene) => {
      const [n1, n2, n3] = await scene.localCluster(3);
      assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
      const watchers = await Promise.all([dashboard(scene, n2), dashboard(scene, n3)]);
      await arrive(scene, n1);
      for (const watcher of watchers) await watcher.arrival(STATE);
      await n1.process.kill();
      for (const watcher of watchers) {
        await watcher.arrival(STATE, ({ text }) => text === 'offline', 60_000);
      }
      // The other node would have said it in the same second.
      await n2.process.waitFor(/cluster offline n1/);
      const said = [n2, n3].filter(({ process }) =>
        /will published for a client/.test(process.output),
      );
      assert.equal(said.length, 1);
      for (const watcher of watchers) assert.deepEqual(watcher.texts(STATE), ['online', 'offline']);
    },
  );

  scenario('a client that finds another node in time is not declared dead', async (scene) => {
    const [n1, n2, n3] = await scene.localCluster(3);
    assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
    const watcher = await dashboard(scene, n3);
    await arrive(scene, n1);
    const other = await scene.client(n1, {
      clientId: 'other',
      will: { topic: 'other/state', payload: Buffer.from('offline'), qos: 1, retain: false },
    });
    await watcher.subscribe('other/state', 1);
    await other.publish('other/state', 'online', { qos: 1 });
    await watcher.arrival('other/state');
    await n1.process.kill();
    await arrive(scene, n2);
    // The client that did not come back is declared dead; the device is not.
    await watcher.arrival('other/state', ({ text }) => text === 'offline', 60_000);
    assert.deepEqual(watcher.texts(STATE), ['online', 'online']);
  });

  scenario('with -client-takeover=off each node has its own clients', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-client-takeover=off');
    assert.ok(n1 !== undefined && n2 !== undefined);
    const first = await arrive(scene, n1);
    const second = await arrive(scene, n2);
    await first.subscribe('to/device');
    await second.publish('to/device', 'x', { qos: 1 });
    await first.arrival('to/device');
  });
});
