import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplicaCluster, type Write } from '../support/replica-cluster.ts';

/** Two writes closer to each other than this may be put in either order. */
const CLOCK_ERROR_MS = 1000;
const KEYS = 40;

test('after a partition with writes on both sides all nodes hold the same values', () => {
  const cluster = new ReplicaCluster(1, 4);
  cluster.updateMembers();
  cluster.runFor(2000);
  cluster.isCut = (from, to) => from < 2 !== to < 2;
  cluster.updateMembers();
  for (let n = 0; n < 200; n++) {
    cluster.runFor(50);
    cluster.nodes[n % 4]!.write(`t/${n % 40}`, `${n}`);
  }
  assert.equal(cluster.areEqual(), false);
  cluster.isCut = () => false;
  cluster.updateMembers();
  const took = cluster.runUntilEqual(10_000);
  assert.ok(took !== undefined && took < 2000, `${took} ms`);
  for (let n = 160; n < 200; n++) {
    for (const { values } of cluster.running()) assert.equal(values.get(`t/${n % 40}`), `${n}`);
  }
});

test('once nodes have met, clocks that are hours fast or slow change nothing about which write is newer', () => {
  const hour = 3_600_000;
  for (const skews of [
    [0, 0, 5 * hour],
    [0, 0, -5 * hour],
    [-5 * hour, 5 * hour, 0],
  ]) {
    const cluster = new ReplicaCluster(6, 3, skews);
    cluster.updateMembers();
    cluster.runFor(5000);
    for (let n = 0; n < 30; n++) {
      cluster.nodes[n % 3]!.write('t', `${n}`);
      cluster.runFor(1500);
      for (const { values } of cluster.running()) assert.equal(values.get('t'), `${n}`);
    }
    // Alone on its side, a node goes on by the common time.
    cluster.isCut = (from, to) => (from === 2) !== (to === 2);
    cluster.updateMembers();
    const orders = [
      [2, 0],
      [0, 2],
    ] as const;
    for (const [index, [first, last]] of orders.entries()) {
      cluster.nodes[first]!.write(`cut/${index}`, 'older');
      cluster.runFor(1500);
      cluster.nodes[last]!.write(`cut/${index}`, 'newer');
    }
    cluster.isCut = () => false;
    cluster.updateMembers();
    assert.ok(cluster.runUntilEqual(10_000) !== undefined);
    for (const index of orders.keys()) {
      assert.equal(cluster.nodes[1]!.values.get(`cut/${index}`), 'newer', `${skews} ${index}`);
    }
  }
});

test('a late joiner is sent 10,000 values within three seconds, at 20 % loss as well', () => {
  for (const loss of [0, 0.2]) {
    const cluster = new ReplicaCluster(3, 3);
    cluster.updateMembers();
    cluster.stop(2);
    cluster.updateMembers();
    for (let n = 0; n < 10_000; n++) cluster.nodes[n % 2]!.write(`sensor/${n}/value`, `value ${n}`);
    cluster.runFor(5000);
    cluster.loss = loss;
    cluster.start(2);
    cluster.updateMembers();
    const took = cluster.runUntilEqual(60_000);
    assert.ok(took !== undefined && took < (loss === 0 ? 3000 : 15_000), `${took} ms at ${loss}`);
    assert.equal(cluster.nodes[2]!.values.size, 10_000);
  }
});

test('a late joiner needs few requests, although most writes were replaced and datagrams overtake each other', () => {
  const cluster = new ReplicaCluster(4, 3);
  cluster.updateMembers();
  cluster.stop(2);
  cluster.updateMembers();
  // The current writes are 4,000 of 12,000, with a gap behind almost each of them.
  const anyKey = (): string => `sensor/${Math.floor(cluster.random() * 4000)}/value`;
  for (let n = 0; n < 12_000; n++) cluster.nodes[n % 2]!.write(anyKey(), `${n}`);
  cluster.runFor(5000);
  cluster.start(2);
  cluster.updateMembers();
  const took = cluster.runUntilEqual(60_000);
  assert.ok(took !== undefined && took < 3000, `${took} ms`);
  const { requestsSent, requestsTimedOut, blocksReceived } = cluster.nodes[2]!.replica.counters;
  assert.equal(requestsTimedOut, 0);
  // 4,000 registers are some 150 blocks; what comes after the last block of its request is asked for again.
  assert.ok(blocksReceived < 400, `${blocksReceived} blocks`);
  assert.ok(requestsSent < 60, `${requestsSent} requests`);
});

test('a quiet cluster sends pings and nothing else', () => {
  const cluster = new ReplicaCluster(5, 5);
  cluster.updateMembers();
  for (let n = 0; n < 100; n++) cluster.nodes[n % 5]!.write(`t/${n}`, `${n}`);
  cluster.runFor(10_000);
  const before = cluster.sent;
  cluster.runFor(10_000);
  // A ping and its ack in each of the ten periods of five nodes.
  assert.ok(cluster.sent - before <= 110, `${cluster.sent - before} datagrams`);
});

const SEED = Number(process.env.SHOAL_SIM_SEED ?? Math.floor(Math.random() * 1e9));
const SEEDS = Number(process.env.SHOAL_SEEDS ?? 25);
/** Fewest and most nodes of every schedule, as `30-50`; otherwise 2 to 10, and in one of twenty 2 to 50. */
const NODES = process.env.SHOAL_NODES?.split('-').map(Number);

test(`random faults end in the same values everywhere (from seed ${SEED})`, () => {
  for (let offset = 0; offset < SEEDS; offset++) runSchedule(SEED + offset);
});

/** Loss, doubling, partitions, one-way cuts, stalls, restarts with and without data; then quiet. */
function runSchedule(seed: number): void {
  const draw = new ReplicaCluster(seed, 1);
  const isLarge = draw.below(20) === 0;
  const [min = 2, max = isLarge ? 50 : 10] = NODES ?? [];
  const cluster = new ReplicaCluster(seed, min + draw.below(max - min + 1));
  cluster.updateMembers();
  cluster.runFor(5000);
  for (const node of cluster.running()) node.hasClusterTime = true;
  for (let step = 0; step < 60; step++) {
    fault(cluster);
    for (let n = cluster.below(20); n > 0; n--) {
      const nodes = cluster.running();
      const node = nodes[cluster.below(nodes.length)];
      const value = cluster.below(5) === 0 ? undefined : `${step}.${n}`;
      if (node !== undefined && !node.isStalled) node.write(`k/${cluster.below(KEYS)}`, value);
      cluster.runFor(cluster.below(100));
    }
    cluster.runFor(cluster.below(3000));
    // The failure detector notices some time later.
    cluster.updateMembers();
  }
  cluster.isCut = () => false;
  cluster.loss = 0;
  cluster.duplication = 0;
  cluster.delayMsMax = 1;
  for (const [box, node] of cluster.nodes.entries()) {
    if (node === undefined) cluster.start(box);
    else if (node.isStalled) cluster.resume(node);
  }
  cluster.updateMembers();
  const took = cluster.runUntilEqual(30_000);
  assert.ok(took !== undefined, `seed ${seed}: the nodes differ for ever`);
  cluster.runFor(3000);
  assert.ok(cluster.areEqual(), `seed ${seed}: equal, and then different again`);
  const [first, ...others] = cluster.running();
  for (const { values } of others) {
    assert.deepEqual([...values].sort(), [...first!.values].sort(), `seed ${seed}`);
  }
  for (let key = 0; key < KEYS; key++) newestWins(cluster, `k/${key}`, seed);
}

function fault(cluster: ReplicaCluster): void {
  const box = cluster.below(cluster.nodes.length);
  const node = cluster.nodes[box];
  switch (cluster.below(9)) {
    case 0:
      cluster.loss = cluster.random() * 0.4;
      cluster.duplication = cluster.random() * 0.1;
      cluster.delayMsMax = 1 + cluster.random() * 150;
      break;
    case 1: {
      const sides = cluster.nodes.map(() => cluster.random() < 0.5);
      cluster.isCut = (from, to) => sides[from] !== sides[to];
      break;
    }
    case 2: {
      const other = cluster.below(cluster.nodes.length);
      cluster.isCut = (from, to) => from === box && to === other;
      break;
    }
    case 3:
      if (node !== undefined) node.isStalled = true;
      break;
    case 4:
    case 5:
      if (node !== undefined) {
        // With a disk it comes back with what had been written some time before.
        cluster.disks[box] = cluster.random() < 0.5 ? node.save() : undefined;
        cluster.runFor(cluster.below(200));
        cluster.stop(box);
      }
      break;
    case 6:
      for (const [index, one] of cluster.nodes.entries()) {
        if (one === undefined) cluster.start(index);
        else if (one.isStalled) cluster.resume(one);
      }
      break;
    default:
      cluster.isCut = () => false;
  }
}

/** Of all writes that a node still knows of, the last one that was really made. */
function newestWins(cluster: ReplicaCluster, key: string, seed: number): void {
  const running = new Set(cluster.running());
  const writers = new Set(cluster.running().map(({ bootId }) => bootId));
  const known = cluster.writes.filter(
    ({ key: written, isTimed, isCorrected, stamp, seenBy }) =>
      written === key &&
      (isTimed || (isCorrected && writers.has(stamp.writer))) &&
      [...seenBy].some((node) => running.has(node)),
  );
  const last = known.reduce<Write | undefined>(
    (newest, write) => (newest === undefined || write.at > newest.at ? write : newest),
    undefined,
  );
  if (last === undefined) return;
  const held = cluster.running()[0]!.replica.map.get(key);
  const kept = cluster.writes.find(
    ({ stamp }) => stamp.writer === held?.writer && stamp.sequence === held.sequence,
  );
  assert.ok(
    kept !== undefined && kept.at > last.at - CLOCK_ERROR_MS,
    `seed ${seed}: ${key} has the write of ${kept?.at}, not that of ${last.at}`,
  );
}
