import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ABSENCE_MS } from '../../src/replica/group-table.ts';
import { GroupCluster, type GroupNode } from '../support/group-cluster.ts';
import type { TestClient } from '../support/mqtt-world.ts';

const JOBS = 30_000;
const SEED = Number(process.env.SHOAL_SIM_SEED ?? 7);

/** Counts how often each job was done. */
class Tally {
  readonly #times = new Map<string, number>();

  take(client: TestClient): number {
    const jobs = client.payloads();
    for (const job of jobs) this.#times.set(job, (this.#times.get(job) ?? 0) + 1);
    return jobs.length;
  }

  count(jobs: number): { lost: number; twice: number } {
    let twice = 0;
    for (const times of this.#times.values()) if (times > 1) twice += 1;
    return { lost: jobs - this.#times.size, twice };
  }
}

function publishers(cluster: GroupCluster): TestClient[] {
  return cluster.nodes.map((node, n) => node.world.connect(`publisher-${n}`));
}

test('three nodes and five members do each job exactly once, each member its share', () => {
  const cluster = new GroupCluster(3, SEED);
  const sources = publishers(cluster);
  const [a, b, c] = cluster.nodes as [GroupNode, GroupNode, GroupNode];
  const workers = [a, a, b, b, c].map((node, n) => cluster.worker(node, `worker-${n}`));
  cluster.pass(100);
  const tally = new Tally();
  const jobs = 6000;
  const done = workers.map(() => 0);
  for (let job = 0; job < jobs; job++) {
    sources[job % 3]!.publish(`job/${job % 50}`, `${job}`, { qos: 1 });
    cluster.pass(0.2);
    workers.forEach((worker, n) => {
      done[n]! += tally.take(worker);
    });
  }
  cluster.pass(100);
  for (const worker of workers) tally.take(worker);
  assert.deepEqual(tally.count(jobs), { lost: 0, twice: 0 });
  for (const count of done) {
    assert.ok(Math.abs(count / jobs - 0.2) < 0.03, `${done.join(' ')} of ${jobs}`);
  }
});

test('a node that dies takes no job that is published after the others see it offline', () => {
  const cluster = new GroupCluster(3, SEED);
  const sources = publishers(cluster);
  const workers = cluster.nodes.map((node, n) => cluster.worker(node, `worker-${n}`));
  cluster.pass(100);
  cluster.kill(cluster.nodes[2]!, 3000);
  cluster.pass(3001);
  const tally = new Tally();
  for (let job = 0; job < 1000; job++) {
    sources[job % 2]!.publish('job/x', `${job}`, { qos: 1 });
    cluster.pass(1);
    for (const worker of workers.slice(0, 2)) tally.take(worker);
  }
  cluster.pass(100);
  for (const worker of workers.slice(0, 2)) tally.take(worker);
  assert.deepEqual(tally.count(1000), { lost: 0, twice: 0 });
});

test('while all members are absent each job waits for exactly one of them', () => {
  const cluster = new GroupCluster(3, SEED);
  const [source] = publishers(cluster);
  const nodes = cluster.nodes.slice(1);
  for (const [n, node] of nodes.entries()) cluster.worker(node, `worker-${n}`, 3600).leave();
  cluster.pass(100);
  for (let job = 0; job < 500; job++) source!.publish('job/x', `${job}`, { qos: 1 });
  cluster.pass(100);
  const tally = new Tally();
  const waiting = nodes.map((node, n) => tally.take(cluster.worker(node, `worker-${n}`, 3600)));
  assert.deepEqual(tally.count(500), { lost: 0, twice: 0 });
  assert.ok(
    waiting.every((count) => count > 150),
    waiting.join(' '),
  );
});

test('an absent member gets no job while a member of another node is connected', () => {
  const cluster = new GroupCluster(2, SEED);
  const [source] = publishers(cluster);
  const [a, b] = cluster.nodes as [GroupNode, GroupNode];
  cluster.worker(a, 'absent', 3600).leave();
  const worker = cluster.worker(b, 'worker');
  cluster.pass(100);
  for (let job = 0; job < 100; job++) source!.publish('job/x', `${job}`, { qos: 1 });
  cluster.pass(100);
  assert.equal(worker.payloads().length, 100);
  assert.deepEqual(cluster.worker(a, 'absent', 3600).payloads(), []);
});

test('a node that was away for long writes its members anew, and is forgotten when it stays away', () => {
  const cluster = new GroupCluster(3, SEED);
  const [a, b, c] = cluster.nodes as [GroupNode, GroupNode, GroupNode];
  const workers = cluster.nodes.map((node, n) => cluster.worker(node, `worker-${n}`));
  cluster.pass(1000);
  const cut = (): void => {
    a.see([b]);
    b.see([a]);
    c.see([]);
  };
  cut();
  for (const node of [a, b]) node.table.tidy(cluster.now);
  cluster.pass(ABSENCE_MS + 1000);
  for (const node of [a, b]) node.table.tidy(cluster.now);
  cluster.pass(1000);
  assert.equal([...a.table.replica.map.registers()].filter(({ hasValue }) => hasValue).length, 2);
  for (const node of cluster.nodes) node.see(cluster.nodes.filter((other) => other !== node));
  cluster.pass(10_000);
  assert.equal([...a.table.replica.map.registers()].filter(({ hasValue }) => hasValue).length, 3);
  const source = a.world.connect('publisher');
  for (let job = 0; job < 300; job++) source.publish('job/x', `${job}`, { qos: 1 });
  cluster.pass(100);
  const counts = workers.map((worker) => worker.payloads().length);
  assert.equal(counts[0]! + counts[1]! + counts[2]!, 300);
  assert.ok(counts[2]! > 50, counts.join(' '));
});

test('how many jobs are done twice or not at all while members come and go', (t) => {
  for (const everyMs of [1000, 100, 20]) {
    const cluster = new GroupCluster(3, SEED);
    const { random } = cluster;
    const sources = publishers(cluster);
    const place = (): GroupNode => cluster.nodes[Math.floor(random() * 3)]!;
    const workers = Array.from({ length: 5 }, (_, n) => cluster.worker(place(), `worker-${n}-0`));
    cluster.pass(100);
    const tally = new Tally();
    let moves = 0;
    let moveAt = cluster.now + everyMs;
    for (let job = 0; job < JOBS; job++) {
      sources[job % 3]!.publish(`job/${job % 50}`, `${job}`, { qos: 1 });
      cluster.pass(1);
      for (const worker of workers) tally.take(worker);
      if (cluster.now < moveAt) continue;
      moveAt += everyMs;
      moves += 1;
      const n = moves % workers.length;
      workers[n]!.leave();
      workers[n] = cluster.worker(place(), `worker-${n}-${moves}`);
    }
    cluster.pass(1000);
    for (const worker of workers) tally.take(worker);
    const { lost, twice } = tally.count(JOBS);
    t.diagnostic(
      `${JOBS} jobs, one each ms; a member moves each ${everyMs} ms (${moves} moves): ${twice} done twice, ${lost} not done`,
    );
    assert.ok(twice + lost < (2 * moves) / 1 + 10, `${twice} twice, ${lost} lost`);
  }
});
