// Nodes joined by a bad network: no client gets a message twice or out of order, and lost messages are
// counted exactly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PARTIAL_MS } from '../../src/sync/limits.ts';
import {
  LossyNetwork,
  type NetworkOptions,
  type Station,
  welcomedPair,
} from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');

interface Run {
  readonly network: LossyNetwork;
  readonly a: Station;
  readonly b: Station;
  readonly c: Station;
  readonly sent: number;
}

/** Nodes a and c publish numbered messages of many sizes; the test checks every inbox. */
function publishThrough(options: NetworkOptions, turns: number): Run {
  const { seed, ...badness } = options;
  const network = new LossyNetwork({ seed });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => network.add({ name, keys }));
  assert.ok(a && b && c);
  network.mesh();
  network.run(100);
  Object.assign(network.options, badness);
  let sent = 0;
  for (let turn = 0; turn < turns; turn++) {
    const burst = Math.floor(network.random() * 40);
    for (let i = 0; i < burst; i++) {
      const size = network.random() < 0.1 ? Math.floor(network.random() * 4000) : 64;
      const payload = `${sent}:${'x'.repeat(size)}`;
      a.publish('n/a', payload);
      c.publish('n/c', payload);
      sent += 1;
    }
    network.flush();
    network.run(1 + network.random() * 3);
  }
  network.run(200);
  // A loss at the end shows only when another message follows.
  Object.assign(network.options, { loss: 0 });
  a.publish('n/a', `${sent}:end`);
  c.publish('n/c', `${sent}:end`);
  network.flush();
  network.run(200);
  return { network, a, b, c, sent: sent + 1 };
}

function assertOrderedOnce(station: Station, from: string): number {
  let last = -1;
  let count = 0;
  for (const message of station.inbox) {
    if (message.from !== from) continue;
    assert.equal(message.topic, `n/${from}`);
    const number = Number.parseInt(message.payload.toString('latin1'), 10);
    assert.ok(number > last, `${number} arrived after ${last}`);
    last = number;
    count += 1;
  }
  return count;
}

for (const loss of [0, 0.05, 0.2]) {
  for (const seed of [1, 2, 3, 4]) {
    test(`with ${loss * 100} % loss, duplication and reordering, no message arrives twice or out of order and losses are counted exactly (seed ${seed})`, () => {
      const run = publishThrough({ seed, loss, duplication: 0.1, delayMs: [0.1, 6] }, 300);
      for (const [receiver, sender] of [
        [run.b, 'a'],
        [run.b, 'c'],
        [run.a, 'c'],
        [run.c, 'a'],
      ] as const) {
        const received = assertOrderedOnce(receiver, sender);
        const { counters } = receiver.statusOf(sender);
        assert.equal(counters.receivedMessages, received);
        assert.equal(counters.receivedMessages + counters.lostMessages, run.sent);
        assert.equal(counters.malformed, 0);
        assert.ok(counters.duplicateDatagrams > 0);
        assert.ok(counters.reorderedDatagrams > 0);
        if (loss === 0) assert.equal(counters.lostMessages, 0);
        else assert.ok(counters.lostMessages > run.sent * loss * 0.5);
      }
    });
  }
}

test('a gap delays the messages behind it for 20 ms and no longer', () => {
  const { network, a, b } = welcomedPair({ seed: 5 }, keys);
  network.options.loss = 1;
  a.publish('t', 'lost');
  network.flush();
  network.options.loss = 0;
  a.publish('t', 'behind');
  network.flush();
  network.run(19);
  assert.equal(b.inbox.length, 0);
  network.run(2);
  assert.equal(b.inbox.length, 1);
  assert.equal(b.statusOf('a').counters.lostMessages, 1);
});

test('a gap is skipped at once when 64 datagrams have arrived behind it', () => {
  const { network, a, b } = welcomedPair({ seed: 6, delayMs: [0, 0] }, keys);
  network.options.loss = 1;
  a.publish('t', 'lost');
  network.flush();
  network.options.loss = 0;
  for (let i = 0; i < 64; i++) {
    a.publish('t', 'behind');
    network.flush();
    network.run(0);
  }
  assert.equal(b.inbox.length, 64);
});

test('a split message without its last piece is dropped, and later messages arrive', () => {
  const { network, a, b } = welcomedPair({ seed: 7 }, keys);
  network.isRecording = true;
  network.options.loss = 1;
  a.publish('t', Buffer.alloc(2000, 1));
  network.flush();
  network.options.loss = 0;
  const [first, last] = network.recorded;
  assert.ok(first && last);
  network.inject(b.peer.endpoint.port, first.datagram);
  network.run(PARTIAL_MS + 1);
  assert.equal(b.statusOf('a').counters.lostMessages, 1);
  network.inject(b.peer.endpoint.port, last.datagram);
  a.publish('t', 'next');
  network.flush();
  network.run(10);
  assert.deepEqual(
    b.inbox.map((message) => message.payload.toString()),
    ['next'],
  );
  assert.equal(b.statusOf('a').counters.lostMessages, 1);
});

test('a message arrives whole if its sender was delayed between two pieces', () => {
  const { network, a, b } = welcomedPair({ seed: 8 }, keys);
  Object.assign(network.options, { loss: 1 });
  network.isRecording = true;
  a.publish('n/a', 'x'.repeat(3900));
  network.flush();
  const pieces = network.recorded.map(({ datagram }) => datagram);
  assert.equal(pieces.length, 3);
  for (const piece of pieces) {
    network.inject(b.peer.endpoint.port, piece);
    network.run(1000);
  }
  assert.equal(b.inbox.length, 1);
  assert.equal(b.statusOf('a').counters.lostMessages, 0);
});
