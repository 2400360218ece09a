// A path that takes only small datagrams and says nothing: the nodes find the size that passes, at the
// join and later, and try larger ones again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/shared/logger.ts';
import { RAISE_INTERVAL_MS } from '../../src/sync/limits.ts';
import { LossyNetwork, type Station } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');

interface Scene {
  readonly network: LossyNetwork;
  readonly a: Station;
  readonly b: Station;
  readonly c: Station;
  readonly logged: string[];
}

/** Three stations; the way from a to b takes datagrams of at most `bytesMax`. */
function scene(bytesMax: number, datagramBytes = 1400): Scene {
  const network = new LossyNetwork({ seed: 1 });
  const logged: string[] = [];
  const note = (event: string): void => {
    logged.push(event);
  };
  const log = { ...silentLogger, warn: note, info: note };
  const a = network.add({ name: 'a', keys, datagramBytes, log });
  const b = network.add({ name: 'b', keys, datagramBytes });
  const c = network.add({ name: 'c', keys, datagramBytes });
  narrow({ network, a, b, c, logged }, bytesMax);
  network.mesh();
  return { network, a, b, c, logged };
}

function narrow({ network, a, b }: Scene, bytesMax: number): void {
  const [from, to] = [a.peer.endpoint.port, b.peer.endpoint.port];
  network.options.passes = (fromPort, toPort, bytes) =>
    fromPort !== from || toPort !== to || bytes <= bytesMax;
}

/** Publishes large messages on a. @returns how many of them b got */
function exchange({ network, a, b }: Scene, count: number): number {
  const before = b.inbox.length;
  for (let i = 0; i < count; i++) {
    a.publish('t', 'x'.repeat(3000));
    network.flush();
    network.run(100);
  }
  return b.inbox.length - before;
}

for (const [bytesMax, expected] of [
  [1399, 1200],
  [1199, 576],
] as const) {
  test(`a path for ${bytesMax} bytes is joined with datagrams of ${expected}`, () => {
    const narrowed = scene(bytesMax);
    narrowed.network.run(2000);
    assert.equal(exchange(narrowed, 10), 10);
    assert.equal(narrowed.a.statusOf('b').datagramBytes, expected);
    assert.equal(narrowed.a.statusOf('c').datagramBytes, 1400);
    assert.deepEqual(narrowed.logged, ['datagrams of 1400 bytes do not reach a peer']);
  });
}

test('a path that becomes smaller later is found out within ten seconds of traffic', () => {
  const narrowed = scene(1400);
  narrowed.network.run(2000);
  assert.equal(exchange(narrowed, 10), 10);
  narrow(narrowed, 1000);
  exchange(narrowed, 100);
  assert.equal(exchange(narrowed, 10), 10);
  assert.equal(narrowed.a.statusOf('b').datagramBytes, 576);
});

test('a path that takes large datagrams again is found out within the hour', () => {
  const narrowed = scene(1000);
  narrowed.network.run(2000);
  narrow(narrowed, 1400);
  narrowed.network.run(2 * RAISE_INTERVAL_MS);
  assert.equal(narrowed.a.statusOf('b').datagramBytes, 1400);
  assert.equal(exchange(narrowed, 10), 10);
});

test('a path that stays small keeps its size, and the attempts to raise it lose no message', () => {
  const narrowed = scene(1300);
  narrowed.network.run(2000);
  for (let hour = 0; hour < 3; hour++) {
    narrowed.network.run(3_600_000);
    assert.equal(exchange(narrowed, 10), 10);
  }
  assert.equal(narrowed.a.statusOf('b').datagramBytes, 1200);
  assert.equal(narrowed.b.statusOf('a').counters.lostMessages, 0);
});

test('random loss is not taken for a small path', () => {
  const narrowed = scene(1400);
  narrowed.network.run(2000);
  narrowed.network.options.loss = 0.1;
  exchange(narrowed, 3000);
  assert.equal(narrowed.a.statusOf('b').datagramBytes, 1400);
});

for (const [bytesMax, expected] of [
  [65_488, 65_000],
  [65_000 - 1, 32_000],
  [9000, 8952],
  [4352, 4200],
  [1500, 1400],
] as const) {
  test(`large datagrams are tried first: a path for ${bytesMax} bytes gets ${expected} at once`, () => {
    const jumbo = scene(bytesMax, 65_000);
    jumbo.network.run(20);
    assert.equal(jumbo.a.statusOf('b').datagramBytes, expected);
    assert.equal(exchange(jumbo, 10), 10);
  });
}

test('datagrams of 65,000 bytes carry what a turn has, and are given up within a second when they stop arriving', () => {
  const loopback = scene(65_488, 65_000);
  exchange(loopback, 10);
  for (let i = 0; i < 100; i++) loopback.a.publish('t', 'x'.repeat(3000));
  const sent = loopback.a.statusOf('b').counters.sentDatagrams;
  loopback.network.flush();
  loopback.network.run(100);
  assert.equal(loopback.b.inbox.length, 110);
  assert.ok(loopback.a.statusOf('b').counters.sentDatagrams - sent <= 1);
  narrow(loopback, 9000);
  for (let ms = 0; ms < 1000; ms += 100) {
    for (let i = 0; i < 5; i++) loopback.a.publish('t', 'x'.repeat(3000));
    loopback.network.flush();
    loopback.network.run(100);
  }
  assert.equal(loopback.a.statusOf('b').datagramBytes, 8952);
  assert.equal(exchange(loopback, 10), 10);
});

for (const pauseMs of [1, 100]) {
  test(`large datagrams that stop arriving are given up within a second, with a message each ${pauseMs} ms`, () => {
    const jumbo = scene(9000, 8952);
    exchange(jumbo, 10);
    assert.equal(jumbo.a.statusOf('b').datagramBytes, 8952);
    narrow(jumbo, 1500);
    for (let ms = 0; ms < 1000; ms += pauseMs) {
      jumbo.a.publish('t', 'x'.repeat(3000));
      jumbo.network.flush();
      jumbo.network.run(pauseMs);
    }
    assert.equal(jumbo.a.statusOf('b').datagramBytes, 1400);
    assert.equal(exchange(jumbo, 10), 10);
    assert.ok(jumbo.logged.includes('datagrams of 8952 bytes do not reach a peer'));
  });
}

test('a peer that dies is not taken for a small path', () => {
  const jumbo = scene(9000, 8952);
  exchange(jumbo, 10);
  narrow(jumbo, 0);
  exchange(jumbo, 10);
  assert.equal(jumbo.a.statusOf('b').datagramBytes, 8952);
});
