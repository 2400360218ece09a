// Any node answers for all nodes.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Node, scenario } from './support/scenario.ts';

async function get(node: Node, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://${await node.process.httpAddress()}${path}`);
  return { status: response.status, body: await response.json() };
}

describe('the HTTP API of a cluster', { concurrency: 2 }, () => {
  scenario('every node lists the clients of all nodes', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-http=0');
    assert.ok(n1 !== undefined && n2 !== undefined);
    await scene.client(n1, { clientId: 'here' });
    const there = await scene.client(n2, { clientId: 'there' });
    await there.subscribe(['home/#']);
    const { body } = await get(n1, '/api/v1/clients');
    const { items, total } = body as { items: { id: string; node: string }[]; total: number };
    assert.deepEqual(
      items.map(({ id, node }) => [id, node]),
      [
        ['here', 'n1'],
        ['there', 'n2'],
      ],
    );
    assert.equal(total, 2);
    const one = await get(n1, '/api/v1/clients/there');
    const { subscriptions } = one.body as { subscriptions: { filter: string }[] };
    assert.deepEqual(
      subscriptions.map(({ filter }) => filter),
      ['home/#'],
    );
    assert.equal((await get(n1, '/api/v1/clients/there?node=n1')).status, 404);
    assert.equal((await get(n1, '/api/v1/clients/nowhere')).status, 404);
  });

  scenario('another node is asked by its name', async (scene) => {
    const [n1] = await scene.localCluster(2, '-http=0');
    assert.ok(n1 !== undefined);
    assert.deepEqual((await get(n1, '/healthz?node=n2')).body, { status: 'ok', node: 'n2' });
    const wrong = await get(n1, '/healthz?node=n9');
    assert.equal(wrong.status, 404);
    assert.match(JSON.stringify(wrong.body), /No node n9 is online, only n1, n2/);
  });

  scenario('a message and its clearing reach every node', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-http=0');
    assert.ok(n1 !== undefined && n2 !== undefined);
    const watcher = await scene.client(n2);
    await watcher.subscribe(['home/#']);
    await scene.ask(n1, 'POST', '/api/v1/publish', {
      topic: 'home/door',
      payload: 'open',
      retain: true,
    });
    await watcher.arrival('home/door', ({ text }) => text === 'open');
    const versions = await Promise.all(
      [n1, n2].map(async (node) => {
        const { body } = await get(node, '/api/v1/retained?filter=home/%23');
        return (body as { items: { version: string; text: string }[] }).items;
      }),
    );
    assert.equal(versions[0]?.[0]?.text, 'open');
    assert.equal(versions[0]?.[0]?.version, versions[1]?.[0]?.version);
    await scene.ask(n1, 'DELETE', '/api/v1/retained?filter=home/%23');
    await watcher.arrival('home/door', ({ text }) => text === '');
  });

  scenario(
    'a client on another node is disconnected, and its session is forgotten',
    async (scene) => {
      const [n1, n2] = await scene.localCluster(2, '-http=0');
      assert.ok(n1 !== undefined && n2 !== undefined);
      await scene.client(n2, { clientId: 'there', properties: { sessionExpiryInterval: 60 } });
      const done = await scene.ask(n1, 'POST', '/api/v1/clients/there/disconnect');
      assert.deepEqual(done, { nodes: ['n2'] });
      await n2.process.waitFor(/client disconnected.*there.*ended by an administrator/);
      assert.deepEqual(await scene.ask(n1, 'DELETE', '/api/v1/clients/there'), { nodes: ['n2'] });
    },
  );

  scenario('a ban by hand holds on every node, and so does its end', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-http=0');
    assert.ok(n1 !== undefined && n2 !== undefined);
    await scene.ask(n1, 'POST', '/api/v1/bans', { client: 'thermo7', seconds: 3600 });
    await assert.rejects(scene.client(n2, { clientId: 'thermo7' }), /Banned|banned|138/);
    const { body } = await get(n2, '/api/v1/bans');
    const { bans } = body as { bans: { client: string; reason: string }[] };
    assert.deepEqual(
      bans.map(({ client, reason }) => [client, reason]),
      [['thermo7', 'by hand']],
    );
    await scene.ask(n2, 'DELETE', '/api/v1/bans?client=thermo7');
    await scene.client(n1, { clientId: 'thermo7' });
  });

  scenario('the timeline of a client has its lines from every node', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-http=0');
    assert.ok(n1 !== undefined && n2 !== undefined);
    await scene.client(n1, { clientId: 'roamer' });
    await n1.process.waitFor(/client connected.*roamer/);
    await scene.client(n2, { clientId: 'roamer' });
    await n1.process.waitFor(/client disconnected.*roamer/);
    const { body } = await get(n1, '/api/v1/clients/roamer/timeline');
    const { events } = body as { events: { node: string; event: string }[] };
    const lines = events.map(({ node, event }) => `${node}: ${event}`);
    assert.deepEqual(lines.sort(), [
      'n1: client connected',
      'n1: client disconnected',
      'n2: client connected',
    ]);
  });

  scenario('an offline node is forgotten on all nodes', async (scene) => {
    const [n1, n2, n3] = await scene.localCluster(3, '-http=0', '-profile=local');
    assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
    await assert.rejects(scene.ask(n1, 'DELETE', '/api/v1/nodes/n3'), { status: 409 });
    await n3.process.kill();
    await Promise.all([n1.sees('offline', n3), n2.sees('offline', n3)]);
    await scene.ask(n1, 'DELETE', '/api/v1/nodes/n3');
    await Promise.all([n1.sees('left', n3), n2.sees('left', n3)]);
    const { verdict } = (await scene.ask(n2, 'GET', '/api/v1/nodes')) as {
      verdict: { faults: { code: string }[] };
    };
    assert.ok(verdict.faults.every(({ code }) => code !== 'offline'));
  });

  scenario('a node joins another one, and stops, when it is asked to', async (scene) => {
    const n1 = await scene.startLocal('n1');
    const n2 = await scene.startLocal('n2');
    const [, port] = /:(\d+)$/.exec(await n1.process.gossipAddress()) ?? [];
    await scene.ask(n2, 'POST', '/api/v1/nodes', { address: '127.0.0.1', port: Number(port) });
    await Promise.all([n1.sees('online', n2), n2.sees('online', n1)]);
    await scene.ask(n2, 'POST', '/api/v1/stop');
    assert.equal((await n2.process.exited).code, 0);
    await n1.sees('left', n2);
  });
});
