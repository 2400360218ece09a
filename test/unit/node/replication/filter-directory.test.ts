// What nodes know of each other's Topic Filters with -forward=interest, on a clock that the test moves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterFilters } from '../../../../src/node/replication/filter-directory.ts';
import { ClusterClock } from '../../../../src/replica/cluster-clock.ts';
import { MapId } from '../../../../src/replica/codec.ts';
import { Replication } from '../../../../src/replica/replication.ts';

const TICK_MS = 50;
const PING_MS = 1000;
const TEN_MINUTES_MS = 600_000;

interface Node {
  readonly bootId: bigint;
  readonly filters: ClusterFilters;
  readonly replication: Replication;
  readonly subscribed: { version: number; list: string[]; filters(): Iterable<string> };
  isLost: (bytes: Buffer) => boolean;
}

/** Nodes whose messages arrive at once, unless their receiver loses them. */
class Cluster {
  now = 1000;
  online: Node[] = [];
  readonly #all: Node[] = [];

  start(nodeName: string, bootId: bigint): Node {
    const subscribed = { version: 0, list: [] as string[], filters: () => subscribed.list };
    const clock = new ClusterClock(this.now, 0);
    const filters = new ClusterFilters({
      bootId,
      nodeName,
      clock,
      now: () => this.now,
      subscribed,
      send: (to, bytes) => {
        const member = this.online.find((one) => one.bootId === to);
        if (member === undefined || member.isLost(bytes)) return;
        member.replication.handleMessage(bootId, Buffer.from(bytes), this.now);
      },
      messageBytesMax: 1100,
    });
    // The test calls tick() itself.
    filters.close();
    const replication = new Replication(clock);
    replication.add(MapId.filters, filters);
    const node = { bootId, filters, replication, subscribed, isLost: () => false };
    this.#all.push(node);
    this.setOnline([...this.online, node]);
    return node;
  }

  setOnline(nodes: Node[]): void {
    this.online = nodes;
    for (const node of nodes) {
      const others = nodes.filter((other) => other !== node).map(({ bootId }) => bootId);
      node.replication.setMembers(others, this.now);
    }
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += TICK_MS;
      for (const { filters, replication } of this.online) {
        filters.tick(this.now);
        replication.advance(this.now);
      }
      if (this.now % PING_MS === 0) this.#ping();
    }
  }

  #ping(): void {
    for (const from of this.online) {
      const state = from.replication.state(this.now);
      for (const to of this.online) {
        if (to !== from) to.replication.handleState(from.bootId, state, this.now);
      }
    }
  }
}

function subscribe({ subscribed }: Node, ...filters: string[]): void {
  subscribed.list = filters;
  subscribed.version += 1;
}

function wants(at: Node, { bootId }: Node, topic: string): boolean {
  return at.filters.wants(bootId, topic.split('/'));
}

test('a node that is not heard of yet wants everything, then what it subscribes to', () => {
  const cluster = new Cluster();
  const a = cluster.start('a', 1n);
  const b = cluster.start('b', 2n);
  assert.ok(wants(a, b, 'x'));
  subscribe(b, 't/+');
  cluster.pass(TICK_MS);
  assert.ok(wants(a, b, 't/1'));
  assert.ok(!wants(a, b, 'x'));
  assert.equal(a.filters.metrics().knownNodes, 1);
});

test('subscriptions that come in a burst are announced together, within 250 ms', () => {
  const cluster = new Cluster();
  const a = cluster.start('a', 1n);
  const b = cluster.start('b', 2n);
  cluster.pass(TICK_MS);
  const before = b.filters.metrics().announcements;
  for (let i = 0; i < 5; i++) {
    subscribe(b, ...b.subscribed.list, `t/${i}`);
    cluster.pass(TICK_MS);
  }
  assert.ok(wants(a, b, 't/4'));
  assert.equal(b.filters.metrics().announcements, before + 1);
});

test('the subscriptions of a session that moves here are announced without that wait', () => {
  const cluster = new Cluster();
  const a = cluster.start('a', 1n);
  const b = cluster.start('b', 2n);
  cluster.pass(TICK_MS);
  subscribe(b, 'own');
  cluster.pass(TICK_MS);
  subscribe(b, 'own', 'moved');
  assert.equal(wants(a, b, 'moved'), false);
  b.filters.announceNow(cluster.now);
  assert.equal(wants(a, b, 'moved'), true);
});

test('the version of what is known rises with every change, so that no cached answer is old', () => {
  const cluster = new Cluster();
  const a = cluster.start('a', 1n);
  const b = cluster.start('b', 2n);
  cluster.pass(500);
  const before = a.filters.version;
  subscribe(b, 'new');
  cluster.pass(300);
  assert.ok(a.filters.version > before);
});

test('while a part of a list is missing its node wants everything; the repair brings it', () => {
  const cluster = new Cluster();
  const a = cluster.start('a', 1n);
  const b = cluster.start('b', 2n);
  const many = Array.from({ length: 60 }, (_, i) => `${'long-name-'.repeat(3)}/${i}`);
  let messages = 0;
  a.isLost = () => ++messages === 2;
  subscribe(b, ...many);
  cluster.pass(TICK_MS);
  assert.ok(messages > 2, 'the list takes several messages');
  assert.ok(wants(a, b, 'x'));
  cluster.pass(5000);
  assert.ok(!wants(a, b, 'x'));
  for (const filter of many) assert.ok(wants(a, b, filter));
});

test('a node that returns as another process wants everything until that has announced', () => {
  const cluster = new Cluster();
  const a = cluster.start('a', 1n);
  const b = cluster.start('b', 2n);
  subscribe(b, 'old');
  cluster.pass(1000);
  cluster.setOnline([a]);
  cluster.pass(1000);
  const again = cluster.start('b', 3n);
  assert.ok(wants(a, again, 'x'));
  subscribe(again, 'new');
  cluster.pass(5000);
  assert.ok(wants(a, again, 'new'));
  assert.ok(!wants(a, again, 'old'));
  assert.equal(a.filters.metrics().knownNodes, 1);
});

test('the registers of a node that is away for ten minutes are cleared by one other, and come back with it', () => {
  const cluster = new Cluster();
  const [a, b, c] = [cluster.start('a', 1n), cluster.start('b', 2n), cluster.start('c', 3n)];
  subscribe(c, 't/c');
  cluster.pass(2000);
  cluster.setOnline([a, b]);
  cluster.pass(TEN_MINUTES_MS / 2);
  const registers = (node: Node): boolean | undefined =>
    node.filters.replica.map.get('c/0')?.hasValue;
  assert.equal(registers(a), true);
  cluster.pass(TEN_MINUTES_MS / 2 + 30_000);
  for (const node of [a, b]) assert.notEqual(registers(node), true);
  cluster.setOnline([a, b, c]);
  cluster.pass(5000);
  for (const node of [a, b]) {
    assert.ok(wants(node, c, 't/c'));
    assert.ok(!wants(node, c, 'x'));
  }
});
