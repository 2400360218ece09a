// -roaming: a client that resumes its session on another node finds subscriptions and messages there, once.
// The built bundle with real clients; nodes die in the middle.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { type Node, restartFlags, type Scenario, scenario } from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const FLAGS = ['-roaming', '-sys-interval=1'];
const session: IClientOptions = {
  clientId: 'device',
  clean: false,
  properties: { sessionExpiryInterval: 3600 },
};

const KNOWN_NODES = '$SYS/broker/cluster/interest/knownNodes';

async function cluster(scene: Scenario, size: number, ...flags: string[]): Promise<Node[]> {
  const nodes = await scene.localCluster(size, ...FLAGS, ...flags);
  for (const node of nodes) {
    const client = await scene.client(node);
    const topic = '$SYS/broker/cluster/bulk/connected';
    await client.subscribe(topic);
    await client.arrival(topic, ({ text }) => text === String(size - 1));
    await client.end();
  }
  return nodes;
}

async function publish(client: TestClient, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await client.publish(`to/device/${n % 3}`, `${n}`, { qos: 1 });
}

/** Payloads of the client's messages so far, in the order of their numbers. */
function numbers(...clients: readonly TestClient[]): number[] {
  const texts = clients.flatMap(({ arrivals }) => arrivals.map(({ text }) => Number(text)));
  return texts.sort((a, b) => a - b);
}

function range(end: number): number[] {
  return Array.from({ length: end }, (_, n) => n);
}

describe('-roaming', { concurrency: 3 }, () => {
  scenario('queued messages and subscriptions are there on another node', async (scene) => {
    const [n1, n2, n3] = await cluster(scene, 3);
    assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
    const first = await scene.client(n1, session);
    await first.subscribe('to/device/#', 1);
    await first.end();
    const publisher = await scene.client(n3);
    await publish(publisher, 0, 200);
    const second = await scene.client(n2, session);
    await second.until(() => second.arrivals.length === 200, 'what waited on the first node');
    await publish(publisher, 200, 210);
    await second.until(() => second.arrivals.length === 210, 'what comes now');
    assert.deepEqual(numbers(second), range(210));
    await n1.process.waitFor(/session moved to another node.*client=device node=n2/);
    await n2.process.waitFor(/session fetched from another node.*client=device node=n1/);
    // The session has left: the first node queues nothing any more, and a further move finds it on the second.
    await second.end();
    await publish(publisher, 210, 220);
    const third = await scene.client(n1, session);
    await third.until(() => third.arrivals.length === 10, 'what waited on the second node');
    assert.deepEqual(numbers(second, third), range(220));
  });

  scenario(
    'a connection that was cut without a word moves with what is under way',
    async (scene) => {
      const nodes = await cluster(scene, 3);
      const [n1] = nodes;
      assert.ok(n1 !== undefined);
      const publisher = await scene.client(n1);
      const clients: TestClient[] = [];
      for (let move = 0; move < 12; move++) {
        const client = await scene.client(nodes[move % 3]!, session);
        if (move === 0) await client.subscribe('to/device/#', 1);
        clients.push(client);
        await publish(publisher, 10 * move, 10 * (move + 1));
        // The next connection comes while these are still on their way.
      }
      const last = clients.at(-1)!;
      await publisher.publish('to/device/end', '120', { qos: 1 });
      await last.arrival('to/device/end');
      const received = numbers(...clients);
      assert.deepEqual([...new Set(received)], range(121), 'nothing is missing');
    },
  );

  scenario('with -forward=interest other nodes follow each move', async (scene) => {
    const [n1, n2, n3] = await cluster(scene, 3, '-forward=interest');
    assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
    const clients = [await scene.client(n1, session)];
    await clients[0]!.subscribe('to/device/#', 1);
    const watcher = await scene.client(n3);
    await watcher.subscribe(KNOWN_NODES);
    await watcher.arrival(KNOWN_NODES, ({ text }) => text === '2');
    const publisher = await scene.client(n3);
    const MOVES = 10;
    for (let move = 1; move <= MOVES; move++) {
      // The node has just announced another filter, and would wait before the next announcement.
      const to = [n1, n2][move % 2]!;
      const other = await scene.client(to);
      await other.subscribe(`other/${move}`);
      while (other.arrivals.length === 0) await publisher.publish(`other/${move}`, '', { qos: 1 });
      clients.push(await scene.client(to, session));
      await publisher.publish('to/device/moved', `${move}`, { qos: 1 });
    }
    const last = clients.at(-1)!;
    while (last.on('to/device/end').length === 0) {
      await publisher.publish('to/device/end', '0', { qos: 1 });
    }
    const arrived = clients.flatMap((client) => client.texts('to/device/moved')).length;
    // On a machine under load an announcement may take longer than the old node keeps the session.
    assert.ok(arrived > MOVES / 2, `${arrived} of ${MOVES} have arrived`);
  });

  scenario(
    'a new session begins if the old node is gone, and the old one survives',
    async (scene) => {
      const data = [1, 2].map((n) => `-data=data${n}`);
      const n1 = await scene.startLocal('n1', ...FLAGS, data[0]!);
      const flags = await restartFlags(n1);
      const seed = `-mbs=${await n1.process.gossipAddress()}`;
      const n2 = await scene.startLocal('n2', seed, ...FLAGS, data[1]!);
      await n2.sees('online', n1);
      const first = await scene.client(n1, session);
      await first.subscribe('to/device/#', 1);
      await first.end();
      const publisher = await scene.client(n1);
      await publish(publisher, 0, 50);
      await n1.process.kill();
      const begin = performance.now();
      const second = await scene.client(n2, { ...session, clientId: 'other' });
      assert.ok(performance.now() - begin < 4000);
      await second.end();
      const mark = n2.mark();
      await n2.sees('offline', n1);
      const again = await scene.startLocal('n1', ...flags, ...FLAGS, data[0]!);
      await n2.sees('online', 'n1', mark);
      await again.process.waitFor(/Shoal v/);
      // A question and its answer go by two connections, one that each node has opened.
      const topic = '$SYS/broker/cluster/bulk/connected';
      for (const node of [n2, again]) {
        const watcher = await scene.client(node);
        await watcher.subscribe(topic);
        await watcher.arrival(topic, ({ text }) => text === '1');
      }
      const third = await scene.client(n2, session);
      await third.until(
        () => third.arrivals.length === 50,
        'what was on the disk of the first node',
      );
      assert.deepEqual(numbers(third), range(50));
      // Now it is on the disk of the second node, and gone from the first.
      await again.process.waitFor(/session moved to another node/);
    },
  );

  scenario('with -client-id-owner=user a session does not move to another user', async (scene) => {
    const [n1, n2] = await cluster(scene, 2, '-client-id-owner=user');
    assert.ok(n1 !== undefined && n2 !== undefined);
    const first = await scene.client(n1, { ...session, username: 'alice', password: 'x' });
    await first.subscribe('to/device/#', 1);
    await first.end();
    await publish(await scene.client(n1), 0, 5);
    const other = await scene.client(n2, { ...session, username: 'bob', password: 'x' });
    await other.subscribe('marker', 1);
    await other.publish('marker', '9', { qos: 1 });
    await other.arrival('marker');
    assert.deepEqual(numbers(other), [9]);
  });
});
