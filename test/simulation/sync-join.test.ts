// The first moments of a node: what its clients publish before the other nodes are found reaches them,
// and what has no node to go to is counted and logged.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/shared/logger.ts';
import { HELD_DATAGRAMS_MAX, JOIN_WAIT_MS } from '../../src/sync/limits.ts';
import { LossyNetwork, type Station } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');

interface Scene {
  readonly network: LossyNetwork;
  readonly a: Station;
  readonly b: Station;
  readonly logged: [string, unknown][];
}

function scene(): Scene {
  const network = new LossyNetwork({ seed: 1 });
  const logged: [string, unknown][] = [];
  const note = (event: string, fields: unknown): void => {
    logged.push([event, fields]);
  };
  const log = { ...silentLogger, warn: note, info: note };
  const waits = { keys, expectsPeers: true, joinWaitMs: JOIN_WAIT_MS };
  const a = network.add({ name: 'a', ...waits, log });
  const b = network.add({ name: 'b', ...waits });
  return { network, a, b, logged };
}

function publish({ network, a }: Scene, count: number, from = 0): void {
  for (let i = 0; i < count; i++) a.publish('t', `${from + i}`);
  network.flush();
}

/** One message each millisecond, each in a datagram of its own. */
function trickle(scenery: Scene, count: number): void {
  for (const number of upTo(count)) {
    publish(scenery, 1, number);
    scenery.network.run(1);
  }
}

function numbers(station: Station): number[] {
  return station.inbox.map(({ payload }) => Number(payload.toString()));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

test('messages from before the first peer reach it, in order and before later ones', () => {
  const scenery = scene();
  const { network, a, b } = scenery;
  publish(scenery, 1500);
  network.run(2000);
  a.node.setPeers([b.peer], network.now);
  publish(scenery, 100, 1500);
  // b hears of a later than a of b.
  network.run(1000);
  b.node.setPeers([a.peer], network.now);
  network.run(100);
  publish(scenery, 100, 1600);
  network.run(2000);
  assert.deepEqual(numbers(b), upTo(1700));
  assert.equal(b.statusOf('a').counters.lostMessages, 0);
});

test('a node that restarts waits until its peer knows the new process, not only the old one', () => {
  const { network, a, b } = scene();
  network.mesh();
  network.run(5000);
  const again = network.restart(a, { name: 'a', keys, bootId: 99n, joinWaitMs: JOIN_WAIT_MS });
  for (const number of upTo(1500)) again.publish('t', `${number}`);
  again.node.setPeers([b.peer], network.now);
  network.flush();
  // b still sends heartbeats for the old process, which the new one gets.
  network.run(3000);
  b.node.setPeers([again.peer], network.now);
  network.run(2000);
  assert.deepEqual(numbers(b), upTo(1500));
});

test('messages wait for all nodes that are found together, not only for the first', () => {
  const scenery = scene();
  const { network, a, b } = scenery;
  const c = network.add({ name: 'c', keys });
  publish(scenery, 100);
  b.node.setPeers([a.peer], network.now);
  a.node.setPeers([b.peer], network.now);
  network.run(100);
  a.node.setPeers([b.peer, c.peer], network.now);
  network.run(200);
  c.node.setPeers([a.peer], network.now);
  network.run(2000);
  assert.deepEqual(numbers(b), upTo(100));
  assert.deepEqual(numbers(c), upTo(100));
});

test('messages from while a node was alone for a moment reach the peer that returns', () => {
  const scenery = scene();
  const { network, a, b } = scenery;
  network.mesh();
  network.run(1000);
  publish(scenery, 100);
  network.run(100);
  a.node.setPeers([], network.now);
  b.node.setPeers([], network.now);
  publish(scenery, 100, 100);
  network.run(5000);
  network.mesh();
  network.run(2000);
  assert.deepEqual(numbers(b), upTo(200));
});

test('messages for a peer that returns arrive although its first hello is lost', () => {
  const scenery = scene();
  const { network, a, b } = scenery;
  const c = network.add({ name: 'c', keys });
  network.mesh();
  network.run(1000);
  a.node.setPeers([c.peer], network.now);
  b.node.setPeers([], network.now);
  network.run(5000);
  // a hears of b first, so that its hello comes too early; b's own hello is answered.
  a.node.setPeers([b.peer, c.peer], network.now);
  network.run(2);
  b.node.setPeers([a.peer, c.peer], network.now);
  trickle(scenery, 30);
  network.run(2000);
  assert.deepEqual(numbers(b), upTo(30));
  assert.equal(b.statusOf('a').counters.lostMessages, 0);
});

test('messages that a peer missed because it answered late are counted and logged', () => {
  const scenery = scene();
  const { network, a, b, logged } = scenery;
  const c = network.add({ name: 'c', keys });
  a.node.setPeers([c.peer], network.now);
  c.node.setPeers([a.peer], network.now);
  network.run(5000);
  a.node.setPeers([b.peer, c.peer], network.now);
  const count = HELD_DATAGRAMS_MAX + 10;
  trickle(scenery, count);
  network.run(500);
  b.node.setPeers([a.peer], network.now);
  network.run(2000);
  assert.deepEqual(numbers(b), upTo(count).slice(10), 'the last ones were held');
  assert.equal(a.statusOf('b').counters.missedMessages, 10);
  const [, fields] = logged.find(([event]) => /a peer missed messages/.test(event)) ?? [];
  assert.equal((fields as { missed: number }).missed, 10);
});

test('a node that finds no peer counts and logs what stays on it, and logs when that is over', () => {
  const scenery = scene();
  const { network, a, b, logged } = scenery;
  publish(scenery, 10);
  network.run(JOIN_WAIT_MS + 1);
  publish(scenery, 5, 10);
  assert.equal(a.node.counters.noPeerMessages, 15);
  network.mesh();
  network.run(2000);
  publish(scenery, 5, 15);
  network.run(100);
  assert.deepEqual(numbers(b), [15, 16, 17, 18, 19]);
  assert.deepEqual(
    logged.map(([event]) => event),
    [
      'no other node is online: messages stay on this node',
      'messages are forwarded to other nodes again',
    ],
  );
});

test('the first node of a cluster, which expects no other, counts and logs nothing', () => {
  const network = new LossyNetwork({ seed: 1 });
  const logged: string[] = [];
  const log = { ...silentLogger, warn: (event: string) => logged.push(event) };
  const a = network.add({ name: 'a', keys, joinWaitMs: JOIN_WAIT_MS, log });
  a.publish('t', 'x');
  network.flush();
  network.run(60_000);
  a.publish('t', 'x');
  network.flush();
  assert.equal(a.node.counters.noPeerMessages, 0);
  assert.deepEqual(logged, []);
});

test('a backlog leaves in bursts that a small receive buffer takes', () => {
  const scenery = scene();
  const { network, a, b } = scenery;
  for (let i = 0; i < 1000; i++) a.publish('t', 'x'.repeat(1300));
  network.flush();
  network.isRecording = true;
  network.mesh();
  network.run(2000);
  assert.equal(b.inbox.length, 1000);
  const perTime = new Map<number, number>();
  for (const { at, toPort } of network.recorded) {
    if (toPort === b.peer.endpoint.port) perTime.set(at, (perTime.get(at) ?? 0) + 1);
  }
  assert.ok(Math.max(...perTime.values()) <= 40);
});
