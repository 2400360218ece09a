// Nodes with -forward=interest on a bad network: a peer gets every message that it subscribes to, as ever,
// and what it is not sent on purpose is counted as skipped, never as lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FilterSet } from '../../src/mqtt/filter-set.ts';
import type { Interest } from '../../src/sync/peer-outputs.ts';
import { LossyNetwork, type Station } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');

/** What nodes subscribe to, as each of them knows it at once. */
class Filters implements Interest {
  version = 0;
  readonly #sets = new Map<bigint, FilterSet>();

  set(station: Station, filters: readonly string[]): void {
    this.#sets.set(station.peer.bootId, new FilterSet(filters));
    this.version += 1;
  }

  wants(bootId: bigint, levels: readonly string[]): boolean {
    return this.#sets.get(bootId)?.matches(levels) ?? true;
  }
}

interface Cluster {
  readonly network: LossyNetwork;
  readonly filters: Filters;
  readonly a: Station;
  readonly b: Station;
  readonly c: Station;
}

function cluster(seed: number, joinWaitMs = 0): Cluster {
  const network = new LossyNetwork({ seed });
  const filters = new Filters();
  const [a, b, c] = ['a', 'b', 'c'].map((name) =>
    network.add({ name, keys, interest: filters, joinWaitMs }),
  );
  assert.ok(a && b && c);
  return { network, filters, a, b, c };
}

function published(station: Station, from: string): string[] {
  return station.inbox
    .filter((message) => message.from === from)
    .map(({ topic, payload }) => `${topic} ${payload.toString('latin1').split(':')[0]}`);
}

for (const loss of [0, 0.05, 0.2]) {
  for (const seed of [1, 2, 3, 4]) {
    test(`with ${loss * 100} % loss each peer gets its own topics in order, and losses are exact (seed ${seed})`, () => {
      const { network, filters, a, b, c } = cluster(seed);
      network.mesh();
      network.run(100);
      Object.assign(network.options, { loss, duplication: 0.1, delayMs: [0.1, 6] });
      filters.set(b, ['t/b', 't/both']);
      filters.set(c, ['t/c', 't/both']);
      const sent: string[] = [];
      for (let turn = 0; turn < 300; turn++) {
        // Now and then a subscription comes or goes.
        if (turn % 40 === 20) filters.set(b, ['t/b', 't/both', 't/c']);
        if (turn % 40 === 0) filters.set(b, ['t/b', 't/both']);
        const burst = Math.floor(network.random() * 40);
        for (let i = 0; i < burst; i++) {
          const topic = ['t/b', 't/c', 't/both', 't/none'][Math.floor(network.random() * 4)]!;
          const size = network.random() < 0.1 ? Math.floor(network.random() * 4000) : 64;
          a.publish(topic, `${sent.length}:${'x'.repeat(size)}`);
          sent.push(topic);
        }
        network.flush();
        network.run(1 + network.random() * 3);
      }
      // Several heartbeats, since some are lost.
      network.run(12_000);
      for (const peer of [b, c]) {
        const { name } = peer.peer;
        const { skippedMessages, sentMessages } = a.statusOf(name).counters;
        const { receivedMessages, lostMessages, malformed } = peer.statusOf('a').counters;
        assert.equal(sentMessages + skippedMessages, sent.length);
        assert.equal(receivedMessages + lostMessages, sentMessages);
        assert.equal(malformed, 0);
        if (loss === 0) assert.equal(lostMessages, 0);
        const numbers = published(peer, 'a').map((text) => Number(text.split(' ')[1]));
        assert.equal(numbers.length, receivedMessages);
        assert.ok(numbers.every((number, i) => i === 0 || number > numbers[i - 1]!));
        assert.ok(published(peer, 'a').every((text) => !text.startsWith('t/none')));
      }
      assert.ok(published(c, 'a').every((text) => !text.startsWith('t/b ')));
    });
  }
}

test('a peer that subscribes to nothing gets heartbeats only, and counts no loss', () => {
  const { network, filters, a, b } = cluster(10);
  network.mesh();
  network.run(100);
  filters.set(b, []);
  network.isRecording = true;
  const bytesBefore = a.statusOf('b').counters.sentBytes;
  for (let i = 0; i < 1000; i++) a.publish(`t/${i % 7}`, 'x');
  network.flush();
  network.run(10_000);
  assert.equal(a.statusOf('b').counters.sentBytes, bytesBefore);
  assert.equal(a.statusOf('b').counters.skippedMessages, 1000);
  assert.equal(b.statusOf('a').counters.lostMessages, 0);
  assert.equal(a.statusOf('b').outgoing, 'ok');
  const toB = network.recorded.filter(
    ({ fromPort, toPort }) => fromPort === a.peer.endpoint.port && toPort === b.peer.endpoint.port,
  );
  assert.ok(toB.length <= 8 && toB.length > 3);
  filters.set(b, ['t/3']);
  a.publish('t/3', 'now');
  network.flush();
  network.run(10);
  assert.deepEqual(published(b, 'a'), ['t/3 now']);
});

test('retained messages go to every peer', () => {
  const { network, filters, a, b, c } = cluster(11);
  network.mesh();
  network.run(100);
  filters.set(b, []);
  filters.set(c, ['other']);
  a.retain('state', 'on', { time: 1, writer: a.peer.bootId, sequence: 1 });
  network.flush();
  network.run(10);
  for (const peer of [b, c]) assert.deepEqual(published(peer, 'a'), ['state on']);
});

test('messages that waited for the first peers reach all of them, and the next ones whom they are for', () => {
  const { network, filters, a, b, c } = cluster(12, 10_000);
  filters.set(b, ['t/b']);
  for (let i = 0; i < 100; i++) a.publish('t/c', String(i));
  network.mesh();
  network.run(3000);
  for (let i = 100; i < 200; i++) a.publish('t/c', String(i));
  network.flush();
  network.run(100);
  assert.equal(b.inbox.length, 100);
  assert.equal(c.inbox.length, 200);
  for (const peer of [b, c]) assert.equal(peer.statusOf('a').counters.lostMessages, 0);
});

test('a peer that was offline continues its own stream: what it was not meant to get is not lost', () => {
  const { network, filters, a, b, c } = cluster(13);
  network.mesh();
  network.run(100);
  filters.set(b, ['t/b']);
  filters.set(c, ['#']);
  a.publish('t/b', 'first');
  network.flush();
  network.run(10);
  // Only a takes b for offline, as after a short one-way fault.
  a.node.setPeers([c.peer], network.now);
  for (let i = 0; i < 500; i++) a.publish('t/c', 'x');
  network.flush();
  network.run(500);
  a.node.setPeers([b.peer, c.peer], network.now);
  network.run(100);
  for (let i = 0; i < 500; i++) a.publish('t/c', 'x');
  a.publish('t/b', 'last');
  network.flush();
  network.run(3000);
  assert.deepEqual(published(b, 'a'), ['t/b first', 't/b last']);
  assert.equal(b.statusOf('a').counters.lostMessages, 0);
  assert.equal(c.statusOf('a').counters.lostMessages, 0);
  assert.equal(c.inbox.length, 1002);
});

test('a peer that restarts gets what it subscribes to, without loss', () => {
  const { network, filters, a, b, c } = cluster(14);
  network.mesh();
  network.run(100);
  filters.set(b, ['t/b']);
  for (let i = 0; i < 50; i++) a.publish('t/b', String(i));
  network.flush();
  network.run(50);
  const again = network.restart(b, { name: 'b', keys, interest: filters, bootId: 99n });
  filters.set(again, ['t/new']);
  a.node.setPeers([again.peer, c.peer], network.now);
  again.node.setPeers([a.peer, c.peer], network.now);
  network.run(200);
  for (let i = 0; i < 50; i++) a.publish(i % 2 === 0 ? 't/b' : 't/new', String(i));
  network.flush();
  network.run(3000);
  assert.equal(again.inbox.length, 25);
  assert.equal(again.statusOf('a').counters.lostMessages, 0);
});

test('peers share the send queue, and what it discards is counted as lost by each', () => {
  const { network, a, b } = cluster(15);
  network.mesh();
  network.run(100);
  a.isReady = false;
  for (let i = 0; i < 40_000; i++) a.publish('t/b', 'x'.repeat(100));
  a.isReady = true;
  network.flush();
  a.publish('t/b', 'end');
  network.flush();
  network.run(3000);
  const { queueDroppedMessages } = a.node.counters;
  const lost = b.statusOf('a').counters.lostMessages;
  assert.ok(lost > 0);
  assert.equal(queueDroppedMessages, 2 * lost);
  assert.ok(a.statusOf('b').counters.sentDatagrams <= 512 + 4);
});

test('a node with one stream for all and a node with a stream for each understand each other', () => {
  const network = new LossyNetwork({ seed: 16 });
  const filters = new Filters();
  const a = network.add({ name: 'a', keys, interest: filters });
  const b = network.add({ name: 'b', keys });
  network.mesh();
  network.run(100);
  for (let i = 0; i < 100; i++) {
    a.publish('t', String(i));
    b.publish('t', String(i));
  }
  network.flush();
  network.run(3000);
  assert.equal(a.inbox.length, 100);
  assert.equal(b.inbox.length, 100);
  for (const [one, other] of [
    [a, 'b'],
    [b, 'a'],
  ] as const) {
    assert.equal(one.statusOf(other).counters.lostMessages, 0);
  }
});

test('a peer that has not answered from its address gets no data, and then its own messages', () => {
  const { network, filters, a, b, c } = cluster(17);
  filters.set(b, ['t/b']);
  filters.set(c, ['t/c']);
  const toB = { from: a.peer.endpoint.port, to: b.peer.endpoint.port };
  network.options.passes = (from) => from !== toB.to;
  network.mesh();
  network.isRecording = true;
  network.run(30);
  for (let i = 0; i < 40; i++) a.publish(i % 2 === 0 ? 't/b' : 't/c', String(i));
  network.flush();
  network.run(30);
  const data = () =>
    network.recorded.filter(
      ({ fromPort, toPort, datagram }) =>
        fromPort === toB.from && toPort === toB.to && datagram[24] === 1,
    );
  assert.equal(data().length, 0);
  network.options.passes = () => true;
  network.run(3000);
  assert.ok(data().length > 0);
  assert.equal(b.inbox.length, 20);
  assert.equal(c.inbox.length, 20);
  for (const peer of [b, c]) assert.equal(peer.statusOf('a').counters.lostMessages, 0);
});
