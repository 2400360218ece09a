// Shared subscriptions whose members are connected to several nodes, as workers and publishers see them.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Node, type Scenario, scenario } from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const JOBS = '$share/workers/job/#';

interface Shop {
  readonly nodes: readonly Node[];
  readonly workers: readonly TestClient[];
  readonly sources: readonly TestClient[];
}

/** Three nodes with two, two and one members, and a publisher on each. */
async function open(scene: Scenario, ...flags: string[]): Promise<Shop> {
  const nodes = await scene.localCluster(3, ...flags, '-sys-interval=1');
  const [a, b, c] = nodes as [Node, Node, Node];
  const workers = await Promise.all([a, a, b, b, c].map((node) => scene.client(node)));
  await Promise.all(workers.map((worker) => worker.subscribe(JOBS, 1)));
  const sources = await Promise.all(nodes.map((node) => scene.client(node)));
  return { nodes, workers, sources };
}

/** Resolves when all of these nodes know how many members all nodes have. */
async function knows(sources: readonly TestClient[], members: number): Promise<void> {
  const topic = '$SYS/broker/cluster/groups/members';
  for (const source of sources) {
    await source.subscribe(topic);
    const isKnown = (): boolean => source.texts(topic).at(-1) === `${members}`;
    await source.until(isKnown, `${members} members`);
  }
}

/** Publishes through all of these sources in turn. @returns the jobs */
async function publish(sources: readonly TestClient[], name: string, count: number) {
  const jobs = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  await Promise.all(
    jobs.map((job, n) => sources[n % sources.length]!.publish(`job/${n % 20}`, job, { qos: 1 })),
  );
  return jobs;
}

function done(workers: readonly TestClient[], name: string): string[] {
  return workers.flatMap((worker) =>
    worker.arrivals.map(({ text }) => text).filter((text) => text.startsWith(`${name}-`)),
  );
}

/** Each of the jobs was done by exactly one of the workers. */
function assertOnce(workers: readonly TestClient[], name: string, jobs: readonly string[]): void {
  const found = done(workers, name);
  const once = new Set(found);
  const lost = jobs.filter((job) => !once.has(job));
  assert.deepEqual({ lost, twice: found.length - once.size }, { lost: [], twice: 0 });
}

/** A last message through each node: what was published before it has arrived by then. */
async function settle(workers: readonly TestClient[], sources: readonly TestClient[], end: string) {
  await Promise.all(workers.map((worker) => worker.subscribe('end', 1)));
  for (const [n, source] of sources.entries())
    await source.publish('end', `${end}${n}`, { qos: 1 });
  for (const worker of workers) {
    for (const n of sources.keys())
      await worker.arrival('end', ({ text }) => text === `${end}${n}`);
  }
}

describe('shared groups of a cluster', { concurrency: 2 }, () => {
  scenario('each job is done once, and none is lost after a node died', async (scene) => {
    const { nodes, workers, sources } = await open(scene, '-shared=cluster');
    await knows(sources, 5);
    const jobs = await publish(sources, 'quiet', 3000);
    await settle(workers, sources, 'quiet');
    assertOnce(workers, 'quiet', jobs);
    for (const [n, worker] of workers.entries()) {
      const share = done([worker], 'quiet').length / jobs.length;
      assert.ok(share > 0.1 && share < 0.3, `worker ${n} did ${share}`);
    }
    const [a, b, c] = nodes as [Node, Node, Node];
    await c.process.kill();
    await Promise.all([a, b].map((node) => node.sees('offline', c, { msMax: 60_000 })));
    const left = sources.slice(0, 2);
    const later = await publish(left, 'later', 2000);
    await settle(workers.slice(0, 4), left, 'later');
    assertOnce(workers, 'later', later);
  });

  scenario('while all members are away each job waits for one of them', async (scene) => {
    const nodes = await scene.localCluster(2, '-shared=cluster', '-sys-interval=1');
    const [a, b] = nodes as [Node, Node];
    const stay = { clean: false, properties: { sessionExpiryInterval: 3600 } };
    const ids = ['first', 'second'];
    const source = await scene.client(a);
    const other = await scene.client(b);
    for (const [n, node] of nodes.entries()) {
      const worker = await scene.client(node, { ...stay, clientId: ids[n]! });
      await worker.subscribe(JOBS, 1);
      await knows([source, other], 1);
      await worker.end();
    }
    await knows([source, other], 0);
    const jobs = await publish([source], 'job', 300);
    await settle([other], [source], 'end');
    const workers = [
      await scene.client(a, { ...stay, clientId: 'first' }),
      await scene.client(b, { ...stay, clientId: 'second' }),
    ];
    const all = () => done(workers, 'job').length;
    await Promise.all(
      workers.map((worker) => worker.until(() => all() > 0 && worker.arrivals.length > 0, 'jobs')),
    );
    await settle(workers, [source], 'last');
    assertOnce(workers, 'job', jobs);
  });

  scenario(
    'a client that may receive only a part takes no message from a worker',
    async (scene) => {
      const lines = [
        ...['user worker', 'topic readwrite job/#', 'topic read end'],
        ...['user stranger', 'topic read job/0', 'topic read end'],
        ...['user source', 'topic readwrite #', 'topic read $SYS/#'],
      ];
      const acl = scene.file('acl', `${lines.join('\n')}\n`);
      const flags = ['-shared=cluster', '-sys-interval=1', `-acl=${acl}`];
      const nodes = (await scene.localCluster(2, ...flags)) as [Node, Node];
      const [a, b] = nodes;
      const worker = await scene.client(a, { username: 'worker' });
      const strangers = [
        await scene.client(b, { username: 'stranger' }),
        await scene.client(b, { username: 'stranger' }),
        await scene.client(a, { username: 'stranger' }),
      ];
      for (const member of [worker, ...strangers]) await member.subscribe(JOBS, 1);
      const sources = await Promise.all(
        nodes.map((node) => scene.client(node, { username: 'source' })),
      );
      await knows(sources, 4);
      const jobs = await publish(sources, 'job', 400);
      await settle([worker, ...strangers], sources, 'end');
      assertOnce([worker, ...strangers], 'job', jobs);
    },
  );

  scenario('by default each node serves a group by itself', async (scene) => {
    const { workers, sources } = await open(scene);
    const jobs = await publish(sources, 'job', 60);
    await settle(workers, sources, 'end');
    assert.equal(done(workers, 'job').length, 3 * jobs.length);
  });
});
