import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stamp } from '../../../src/shared/stamp.ts';
import { PUBLISH_BYTES_MAX } from '../../../src/sync/limits.ts';
import type { RepairHead } from '../../../src/sync/repair-codec.ts';
import { LossyNetwork, type Station } from '../../support/lossy-network.ts';
import {
  payloadOf,
  publishPacket,
  syncKeys,
  topicOf,
  viewOf,
} from '../../support/sync-fixtures.ts';

const keys = await syncKeys('token');
const WRITER = 77n;
const HEAD: RepairHead = { requestId: 5, isLast: true, writer: WRITER, from: 3, to: 9 };

interface Pair {
  readonly network: LossyNetwork;
  readonly a: Station;
  readonly b: Station;
  /** What b's repair handler got, one line each. */
  readonly repaired: string[];
}

function pair(): Pair {
  const network = new LossyNetwork({ seed: 1 });
  const repaired: string[] = [];
  const a = network.add({ name: 'a', keys });
  const b = network.add({
    name: 'b',
    keys,
    repairHandler: {
      repairFromPeer: (view, { time, writer, sequence }) =>
        repaired.push(`${topicOf(view)}=${payloadOf(view).length} ${time} ${writer} ${sequence}`),
      blockFromPeer: (member, { requestId, isLast, writer, from, to }) =>
        repaired.push(`block ${member} ${requestId} ${isLast} ${writer} ${from}-${to}`),
    },
  });
  network.mesh();
  network.run(200);
  return { network, a, b, repaired };
}

function packet(topic: string, payload: Buffer, stamp: Stamp) {
  const view = viewOf(publishPacket({ topic, payload, retain: true }));
  return { view, topic: topicOf(view), stamp };
}

const stamp = (sequence: number): Stamp => ({ time: 2 ** 47, writer: WRITER, sequence });

test('a retained message crosses with its version, and messages around it without one', () => {
  const { network, a, b } = pair();
  a.publish('t', 'before');
  a.retain('r', 'x'.repeat(4000), { time: 2 ** 47, writer: 1n, sequence: 2 ** 40 });
  a.publish('t', 'after');
  network.flush();
  network.run(50);
  assert.deepEqual(
    b.inbox.map(({ topic, payload, stamp: version }) => [topic, payload.length, version]),
    [
      ['t', 6, undefined],
      ['r', 4000, { time: 2 ** 47, writer: a.peer.bootId, sequence: 2 ** 40 }],
      ['t', 5, undefined],
    ],
  );
});

test('the largest retained message crosses with its version', () => {
  const { network, a, b } = pair();
  const payload = 'x'.repeat(PUBLISH_BYTES_MAX - 3 - 3 - 1);
  a.retain('r', payload, { time: 1, writer: 1n, sequence: 1 });
  network.flush();
  network.run(50);
  assert.equal(b.inbox[0]?.payload.length, payload.length);
  assert.equal(b.inbox[0]?.stamp?.sequence, 1);
});

test('a repair block reaches the one peer that it is for, with all its values', () => {
  const { network, a, b, repaired } = pair();
  const packets = [packet('a', Buffer.from('1'), stamp(3)), packet('b', Buffer.alloc(0), stamp(7))];
  a.node.sendRepair(b.peer.bootId, HEAD, packets);
  network.run(50);
  assert.deepEqual(repaired, [
    `a=1 ${2 ** 47} 77 3`,
    `b=0 ${2 ** 47} 77 7`,
    `block ${a.peer.bootId} 5 true 77 3-9`,
  ]);
  assert.deepEqual(b.inbox, []);
});

test('an empty block still says which range it covers', () => {
  const { network, a, b, repaired } = pair();
  a.node.sendRepair(b.peer.bootId, HEAD, []);
  network.run(50);
  assert.deepEqual(repaired, [`block ${a.peer.bootId} 5 true 77 3-9`]);
});

test('a value that is larger than a datagram comes in fragments, in any order', () => {
  const { network, a, b, repaired } = pair();
  network.options.delayMs = [0.1, 20];
  a.node.sendRepair(b.peer.bootId, HEAD, [packet('a', Buffer.alloc(4000), stamp(3))]);
  network.run(50);
  assert.equal(repaired.length, 2);
  assert.match(repaired[0] ?? '', /^a=4000 /);
});

test('a block that lost a fragment changes nothing, and the next one is read', () => {
  const { network, a, b, repaired } = pair();
  let datagrams = 0;
  network.options.passes = () => ++datagrams !== 2;
  a.node.sendRepair(b.peer.bootId, HEAD, [packet('a', Buffer.alloc(4000), stamp(3))]);
  network.run(50);
  assert.deepEqual(repaired, []);
  a.node.sendRepair(b.peer.bootId, HEAD, [packet('a', Buffer.alloc(4000), stamp(3))]);
  network.run(50);
  assert.equal(repaired.length, 2);
});

test('values that a peer may not send are dropped with their block', () => {
  const { network, a, b, repaired } = pair();
  const live = viewOf(publishPacket({ topic: 'a', payload: 'not retained' }));
  for (const bad of [
    { view: live, topic: topicOf(live), stamp: stamp(3) },
    packet('$SYS/x', Buffer.from('1'), stamp(3)),
  ]) {
    a.node.sendRepair(b.peer.bootId, HEAD, [bad]);
    network.run(50);
  }
  assert.deepEqual(repaired, []);
  assert.equal(b.statusOf('a').counters.malformed, 2);
});
