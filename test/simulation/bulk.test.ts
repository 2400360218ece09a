// The bulk channel on connections that break, stall and are refused: what arrives is whole and in order,
// no peer delays another one, and every fault has a line and an end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BULK_QUEUE_BYTES_MAX, BULK_STALL_MS } from '../../src/sync/bulk-link.ts';
import { HELLO_MS } from '../../src/sync/bulk-node.ts';
import { BulkNetwork } from '../support/bulk-network.ts';
import { seededRandom } from '../support/random.ts';
import { publishPacket, viewOf } from '../support/sync-fixtures.ts';

const NOT_REACHED = /do not reach a peer/;
const REACHED_AGAIN = /reach a peer again/;

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`messages arrive whole, in order and once, although connections break (seed ${seed})`, () => {
    const network = new BulkNetwork(seed);
    const [a, b, c] = [network.add('a'), network.add('b'), network.add('c')];
    network.mesh();
    network.run(100);
    let sent = 0;
    for (let turn = 0; turn < 200; turn++) {
      for (let i = network.random() * 3; i > 0; i--) {
        a.publish('t', `${sent++}:${'x'.repeat(network.random() * 50_000)}`);
      }
      if (network.random() < 0.05) {
        for (const pipe of [...network.pipes]) if (network.random() < 0.5) pipe.break('reset');
      }
      network.run(network.random() * 100);
    }
    network.run(60_000);
    const before = { b: b.inbox.length, c: c.inbox.length };
    a.publish('t', `${sent++}:last`);
    network.run(1000);
    for (const [station, count] of [
      [b, before.b],
      [c, before.c],
    ] as const) {
      const numbers = station.inbox.map((line) =>
        Number(/t (\d+):x*$|t (\d+):last/.exec(line)?.slice(1).find(Boolean)),
      );
      assert.ok(
        numbers.every((number, n) => n === 0 || number > numbers[n - 1]!),
        'in order, once',
      );
      assert.equal(station.inbox.length, count + 1, 'the last one arrives');
    }
    const { sentMessages, lostMessages } = a.node.counters;
    assert.ok(sentMessages + lostMessages >= 2 * sent);
    assert.ok(b.inbox.length > sent / 3);
    assert.equal(a.logged(NOT_REACHED), a.logged(REACHED_AGAIN), 'every fault has an end');
  });
}

test('a peer that takes nothing costs its own queue only, and has lines in the log', () => {
  const network = new BulkNetwork(1);
  const [a, slow, fast] = [network.add('a'), network.add('slow'), network.add('fast')];
  network.mesh();
  network.run(100);
  slow.isStalled = true;
  const payload = 'x'.repeat(500_000);
  const messages = Math.ceil((1.5 * BULK_QUEUE_BYTES_MAX) / payload.length);
  for (let n = 0; n < messages; n++) {
    a.publish('t', payload);
    network.run(20);
    assert.equal(fast.inbox.length, n + 1, 'at once');
    assert.ok(a.node.queuedBytes <= BULK_QUEUE_BYTES_MAX + payload.length);
  }
  assert.ok(a.node.counters.lostMessages > 0);
  assert.equal(a.logged(/takes them too slowly/), 1);
  slow.isStalled = false;
  network.run(2000);
  assert.equal(a.logged(/fast enough again/), 1);
  assert.equal(a.node.queuedBytes, 0);
});

test('a connection that takes no bytes for long is opened anew', () => {
  const network = new BulkNetwork(1);
  const [a, b] = [network.add('a'), network.add('b')];
  network.mesh();
  network.run(100);
  b.isStalled = true;
  a.publish('t', 'x'.repeat(200_000));
  a.publish('t', 'waits');
  network.run(BULK_STALL_MS + 500);
  assert.equal(a.logged(NOT_REACHED), 1);
  b.isStalled = false;
  network.run(5000);
  assert.equal(a.logged(REACHED_AGAIN), 1);
  a.publish('t', 'again');
  network.run(100);
  assert.equal(b.inbox.at(-1), 'a t again');
});

test('a peer that cannot be reached is tried again, and then gets what is sent from then on', () => {
  const network = new BulkNetwork(1);
  const [a, b] = [network.add('a'), network.add('b')];
  b.isReachable = false;
  network.mesh();
  network.run(1000);
  a.publish('t', 'lost');
  assert.equal(a.node.counters.lostMessages, 1);
  b.isReachable = true;
  network.run(20_000);
  a.publish('t', 'arrives');
  network.run(100);
  assert.deepEqual(b.inbox, ['a t arrives']);
  assert.deepEqual([a.logged(NOT_REACHED), a.logged(REACHED_AGAIN)], [1, 1]);
});

test('a peer that was not reached is dialled at once when it connects by itself', () => {
  const network = new BulkNetwork(1);
  const [a, b] = [network.add('a'), network.add('b')];
  b.isReachable = false;
  a.node.setPeers([b.peer], network.now);
  network.run(60_000);
  const [before] = a.node.status;
  assert.equal(before?.failure?.reason, 'refused');
  assert.equal(before?.incomingSince, undefined);
  b.isReachable = true;
  b.node.setPeers([a.peer], network.now);
  b.node.advance(network.now);
  network.run(10);
  const [after] = a.node.status;
  assert.ok(after?.outgoingSince !== undefined && after.incomingSince !== undefined);
  assert.equal(after.failure, undefined);
});

test('a node that is no peer, and one that says nothing, are refused', () => {
  const network = new BulkNetwork(1);
  const [a, b] = [network.add('a'), network.add('b')];
  // Only b has the other one in its list.
  b.node.setPeers([a.peer], network.now);
  network.run(1000);
  assert.ok(a.node.counters.refusedConnections >= 1);
  let isClosed = false;
  const close = (): void => {
    isClosed = true;
  };
  a.node.accept({ write: () => true, close }, network.now);
  network.run(HELLO_MS + 500);
  assert.ok(isClosed);
});

test('a peer with a smaller -large counts what is too large for it, and takes the rest', () => {
  const network = new BulkNetwork(1);
  const [a, b] = [network.add('a'), network.add('b', { publishBytesMax: 70_000 })];
  network.mesh();
  network.run(100);
  a.publish('t', 'x'.repeat(200_000));
  a.publish('t', 'fits');
  network.run(1000);
  assert.deepEqual(b.inbox, ['a t fits']);
  assert.equal(b.node.counters.tooLargeFrames, 1);
  assert.equal(b.logged(/larger than -large/), 1);
});

test('with -forward=interest a large message goes to the nodes that may have a subscriber', () => {
  const network = new BulkNetwork(1);
  const interest = {
    version: 0,
    wants: (bootId: bigint, [first]: readonly string[]) => bootId === 2n || first === 'all',
  };
  const [a, b, c] = [network.add('a', { interest }), network.add('b'), network.add('c')];
  network.mesh();
  network.run(100);
  a.publish('b/x', '1');
  a.publish('all/x', '2');
  network.run(100);
  assert.deepEqual(b.inbox, ['a b/x 1', 'a all/x 2']);
  assert.deepEqual(c.inbox, ['a all/x 2']);
  assert.equal(a.node.counters.skippedMessages, 1);
});

test('a block that is on its way is not sent again, however often the peer asks', () => {
  const network = new BulkNetwork(1);
  const values: string[] = [];
  const repairHandler = {
    repairFromPeer: (_view: unknown, { sequence }: { sequence: number }) =>
      values.push(`value ${sequence}`),
    blockFromPeer: (_member: bigint, { requestId }: { requestId: number }) =>
      values.push(`block ${requestId}`),
  };
  const [a] = [network.add('a'), network.add('b', { repairHandler: repairHandler as never })];
  network.mesh();
  network.run(100);
  const topic = Buffer.from('t');
  const fields = { topic: 't', payload: Buffer.alloc(100_000), retain: true, qos: 0 } as const;
  const view = viewOf(publishPacket(fields));
  const packets = [{ view, topic, stamp: { writer: 1n, time: 5, sequence: 9 } }];
  for (let requestId = 1; requestId < 5; requestId++) {
    a.node.sendRepair(2n, { requestId, isLast: true, writer: 1n, from: 9, to: 9 }, packets);
    network.run(100);
  }
  assert.deepEqual(values, ['value 9', 'block 1']);
  network.run(6000);
  a.node.sendRepair(2n, { requestId: 6, isLast: true, writer: 1n, from: 9, to: 9 }, packets);
  network.run(100);
  assert.equal(values.length, 4);
});

test('random bytes of a peer change nothing and throw nothing', () => {
  const random = seededRandom(5);
  const network = new BulkNetwork(1);
  const [a] = [network.add('a'), network.add('b')];
  network.mesh();
  network.run(100);
  const hello = Buffer.from('00000012010100000000000000020000000000000001', 'hex');
  for (let round = 0; round < 2000; round++) {
    const events = a.node.accept({ write: () => true, close: () => undefined }, network.now);
    events.received(Buffer.from(hello), network.now);
    const body = Buffer.from(Array.from({ length: random() * 60 }, () => random() * 256));
    const header = Buffer.alloc(5);
    header.writeUInt32BE(body.length + 1);
    header[4] = 1 + random() * 4;
    if (random() < 0.5) body[0] = 0x30 + (Math.floor(random() * 8) << 1);
    if (random() < 0.5 && body.length > 1) body[1] = body.length - 2;
    events.received(Buffer.concat([header, body]), network.now);
  }
  assert.ok(a.node.counters.malformed > 100);
});

test('a node that leaves logs no fault when the others end their connections', () => {
  const network = new BulkNetwork(1);
  const [leaving, staying] = [network.add('a'), network.add('b')];
  network.mesh();
  network.run(100);
  leaving.node.leave();
  for (const pipe of [...network.pipes]) pipe.break('the connection has ended');
  network.run(1000);
  assert.equal(leaving.logged(NOT_REACHED), 0);
  assert.equal(staying.logged(NOT_REACHED), 1);
});
