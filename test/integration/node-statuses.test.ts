// What a node knows of the others: their figures, and options that differ.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { scenario } from './support/scenario.ts';

describe('what nodes say of themselves', { concurrency: 2 }, () => {
  scenario('any node shows the clients and the load of every node', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-sys-interval=1s');
    assert.ok(n1 !== undefined && n2 !== undefined);
    for (let count = 0; count < 3; count++) await scene.client(n2);
    const watcher = await scene.client(n1);
    const of = (node: string): string => `$SYS/broker/cluster/members/${node}`;
    await watcher.subscribe([`${of('n1')}/#`, `${of('n2')}/#`]);
    await watcher.arrival(`${of('n2')}/clients`, ({ text }) => text === '3', 60_000);
    await watcher.arrival(`${of('n1')}/clients`, ({ text }) => text === '1', 60_000);
    await watcher.arrival(`${of('n2')}/load`, ({ text }) => Number(text) <= 1);
  });

  scenario('what is wrong on one node every other node says too', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-sys-interval=1s', '-max-queued-messages=1');
    assert.ok(n1 !== undefined && n2 !== undefined);
    const away = await scene.client(n2, {
      clientId: 'away',
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    });
    await away.subscribe('x', 1);
    await away.end();
    const publisher = await scene.client(n2);
    for (let count = 0; count < 5; count++) await publisher.publish('x', 'x', { qos: 1 });
    const watcher = await scene.client(n1);
    const verdict = '$SYS/broker/site/verdict';
    await watcher.subscribe(verdict);
    await watcher.arrival(verdict, ({ text }) =>
      /^Full queues on n2 dropped 4 messages/.test(text),
    );
  });

  scenario('a node with other options is named by the others', async (scene) => {
    const [n1] = await scene.localCluster(2);
    assert.ok(n1 !== undefined);
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    const n3 = await scene.startLocal('n3', seed, '-retained-sync=off');
    await n1.process.waitFor(/another node runs with other options.*n3.*-retained-sync=false/);
    await n3.process.waitFor(/another node runs with other options.*-retained-sync=true/);
  });
});
