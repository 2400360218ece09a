// Heartbeats on the sync channel: each node knows within five seconds, for each direction, whether
// datagrams pass and how many messages are lost, also while no message is sent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields, Logger } from '../../src/shared/logger.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { LossyNetwork, type Station } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');
const DETECTION_MS_MAX = 5000;

interface Line {
  readonly at: number;
  readonly event: string;
  readonly fields: LogFields;
}

interface Pair {
  readonly network: LossyNetwork;
  readonly a: Station;
  readonly b: Station;
  readonly linesOfA: Line[];
  readonly linesOfB: Line[];
}

/** Two stations that accept each other's messages and have been idle for a while. */
function idlePair(seed: number): Pair {
  const network = new LossyNetwork({ seed });
  const recorder = (): { lines: Line[]; log: Logger } => {
    const lines: Line[] = [];
    const note = (event: string, fields: LogFields = {}): void => {
      lines.push({ at: network.now, event, fields });
    };
    return { lines, log: { ...silentLogger, info: note, warn: note, error: note } };
  };
  const [ofA, ofB] = [recorder(), recorder()];
  const a = network.add({ name: 'a', keys, log: ofA.log });
  const b = network.add({ name: 'b', keys, log: ofB.log });
  network.mesh();
  network.run(7000 + network.random() * 3000);
  assert.deepEqual([ofA.lines, ofB.lines], [[], []]);
  return { network, a, b, linesOfA: ofA.lines, linesOfB: ofB.lines };
}

function cut(network: LossyNetwork, from: Station): void {
  const { port } = from.peer.endpoint;
  network.options.passes = (fromPort) => fromPort !== port;
}

function heal(network: LossyNetwork): void {
  network.options.passes = () => true;
}

function publish(network: LossyNetwork, from: Station, count: number): void {
  for (let i = 0; i < count; i++) from.publish('t', `${i}`);
  network.flush();
}

for (let seed = 1; seed <= 20; seed++) {
  test(`when one direction is blocked, both nodes log it within 5 s, with peer and direction (seed ${seed})`, () => {
    const { network, a, b, linesOfA, linesOfB } = idlePair(seed);
    const cutAt = network.now;
    cut(network, a);
    network.run(DETECTION_MS_MAX);
    const [atA] = linesOfA;
    const [atB] = linesOfB;
    assert.ok(atA !== undefined && atB !== undefined, 'a line is missing');
    assert.equal(atA.event, 'nothing that this node sends arrives at a peer on the sync port');
    assert.equal(atA.fields.peer, 'b');
    assert.equal(atA.fields.direction, 'out');
    assert.equal(atB.event, 'nothing arrives from a peer on the sync port');
    assert.equal(atB.fields.peer, 'a');
    assert.equal(atB.fields.direction, 'in');
    assert.match(String(atB.fields.hint), /UDP 2 blocked for incoming datagrams here/);
    assert.ok(atA.at - cutAt <= DETECTION_MS_MAX && atB.at - cutAt <= DETECTION_MS_MAX);
    assert.equal(a.statusOf('b').outgoing, 'failed');
    assert.equal(a.statusOf('b').incoming, 'ok');
    assert.equal(b.statusOf('a').incoming, 'failed');
    assert.equal(linesOfA.length + linesOfB.length, 2);
  });
}

test('when both directions are blocked, both nodes log that nothing arrives', () => {
  const { network, a, b, linesOfA, linesOfB } = idlePair(1);
  network.options.passes = () => false;
  network.run(DETECTION_MS_MAX);
  for (const [line] of [linesOfA, linesOfB]) assert.equal(line?.fields.direction, 'in');
  assert.equal(a.statusOf('b').outgoing, 'unknown');
  assert.equal(b.statusOf('a').outgoing, 'unknown');
});

test('a direction that stays blocked is logged each minute, and once when it works again', () => {
  const { network, a, b, linesOfA, linesOfB } = idlePair(2);
  cut(network, a);
  network.run(150_000);
  assert.equal(linesOfA.length, 3);
  assert.equal(linesOfB.length, 3);
  heal(network);
  network.run(5000);
  assert.deepEqual(
    [linesOfA, linesOfB].map((lines) => lines.slice(3).map(({ event }) => event)),
    [
      ['datagrams of this node arrive again at a peer on the sync port'],
      ['datagrams from a peer arrive again on the sync port'],
    ],
  );
  assert.equal(a.statusOf('b').outgoing, 'ok');
  assert.equal(b.statusOf('a').incoming, 'ok');
  network.run(120_000);
  assert.equal(linesOfA.length + linesOfB.length, 8);
});

test('messages lost in a blocked direction are counted on both sides, also if no message follows', () => {
  const { network, a, b } = idlePair(3);
  publish(network, a, 10);
  network.run(100);
  cut(network, a);
  publish(network, a, 25);
  network.run(6000);
  assert.equal(a.statusOf('b').unconfirmed, 25);
  heal(network);
  network.run(6000);
  assert.equal(b.statusOf('a').counters.receivedMessages, 10);
  assert.equal(b.statusOf('a').counters.lostMessages, 25);
  assert.equal(a.statusOf('b').counters.lostOutMessages, 25);
  assert.equal(a.statusOf('b').unconfirmed, 0);
});

for (const loss of [0.01, 0.2]) {
  for (const seed of [1, 2, 3]) {
    test(`with ${loss * 100} % loss both sides count the same lost messages in each direction (seed ${seed})`, () => {
      const { network, a, b } = idlePair(seed);
      Object.assign(network.options, { loss, delayMs: [0.1, 4] });
      for (let turn = 0; turn < 2000; turn++) {
        publish(network, a, 1 + Math.floor(network.random() * 60));
        if (turn % 3 === 0) publish(network, b, 7);
        network.run(1 + network.random() * 5);
      }
      Object.assign(network.options, { loss: 0 });
      network.run(5000);
      for (const [sender, receiver] of [
        [a, b],
        [b, a],
      ] as const) {
        const out = sender.statusOf(receiver.peer.name).counters;
        const { counters } = receiver.statusOf(sender.peer.name);
        assert.equal(counters.receivedMessages + counters.lostMessages, out.sentMessages);
        assert.ok(counters.lostMessages > 0);
        assert.equal(out.lostOutMessages, counters.lostMessages);
        assert.equal(out.lostOutDatagrams, counters.lostDatagrams);
      }
    });
  }
}

test('a link that loses a fifth of all datagrams for an hour is not taken for a blocked one', () => {
  const { network, linesOfA, linesOfB } = idlePair(4);
  network.options.loss = 0.2;
  network.run(3_600_000);
  assert.deepEqual([...linesOfA, ...linesOfB], []);
});

test('lost messages are logged once a minute with their number, and once when the loss is over', () => {
  const { network, a, linesOfA, linesOfB } = idlePair(5);
  network.options.passes = (from, _to, bytes) =>
    from !== a.peer.endpoint.port || bytes < 200 || bytes > 1000;
  for (let second = 0; second < 30; second++) {
    a.publish('t', 'x'.repeat(300));
    network.flush();
    network.run(1000);
  }
  heal(network);
  network.run(70_000);
  assert.deepEqual(
    linesOfA.map(({ event, fields }) => [event, fields.direction]),
    [
      ['messages to a peer are lost', 'out'],
      ['no more messages to a peer are lost', 'out'],
    ],
  );
  assert.deepEqual(
    linesOfB.map(({ event, fields }) => [event, fields.direction]),
    [
      ['messages from a peer are lost', 'in'],
      ['no more messages from a peer are lost', 'in'],
    ],
  );
  assert.equal(linesOfA.at(-1)?.fields.lost, 30);
  assert.equal(linesOfB.at(-1)?.fields.lost, 30);
});

test('an idle peer costs less than 100 bytes a second in each direction', () => {
  const { network, a } = idlePair(6);
  network.isRecording = true;
  network.run(600_000);
  const UDP_AND_IP_BYTES = 28;
  const bytes = network.recorded
    .filter(({ fromPort }) => fromPort === a.peer.endpoint.port)
    .reduce((sum, { datagram }) => sum + datagram.length + UDP_AND_IP_BYTES, 0);
  assert.ok(bytes / 600 < 100, `${bytes / 600} bytes a second`);
});

test('the round-trip time is measured, without the time that a heartbeat waits at the peer', () => {
  const { network, a } = idlePair(7);
  network.options.delayMs = [20, 20];
  network.run(60_000);
  const { rttMs } = a.statusOf('b');
  assert.ok(rttMs !== undefined && Math.abs(rttMs - 40) < 1, `${rttMs} ms`);
});

test('a node that has stalled for ten seconds does not blame the network', () => {
  const { network, a, b, linesOfA, linesOfB } = idlePair(8);
  network.pause(a, 10_000);
  network.run(30_000);
  assert.deepEqual(linesOfA, []);
  assert.deepEqual(
    linesOfB.map(({ event }) => event),
    [
      'nothing arrives from a peer on the sync port',
      'datagrams from a peer arrive again on the sync port',
    ],
  );
  assert.equal(a.statusOf('b').incoming, 'ok');
  assert.equal(b.statusOf('a').incoming, 'ok');
});

test('a peer without heartbeats, as of version 0.1.0, is not taken for blocked, and messages cross', () => {
  const network = new LossyNetwork({ seed: 10 });
  const lines: string[] = [];
  const note = (event: string): void => {
    lines.push(event);
  };
  const log = { ...silentLogger, info: note, warn: note };
  const waits = { keys, expectsPeers: true, joinWaitMs: 10_000 };
  const a = network.add({ name: 'a', ...waits, log });
  const old = network.add({ name: 'old', ...waits });
  const HEARTBEAT_BYTES = 104;
  network.options.passes = (_from, _to, bytes) => bytes !== HEARTBEAT_BYTES;
  network.mesh();
  a.publish('t', 'first');
  network.run(4000);
  assert.equal(old.inbox.length, 1);
  network.run(60_000);
  publish(network, a, 10);
  network.run(100);
  assert.equal(old.inbox.length, 11);
  assert.deepEqual(lines, []);
});

test('a peer that membership takes off the list leaves no open fault behind', () => {
  const { network, a, b, linesOfA } = idlePair(9);
  network.options.passes = () => false;
  network.run(6000);
  assert.equal(linesOfA.length, 1);
  a.node.setPeers([], network.now);
  network.run(120_000);
  heal(network);
  a.node.setPeers([b.peer], network.now);
  network.run(10_000);
  assert.equal(linesOfA.length, 1);
  assert.equal(a.statusOf('b').incoming, 'ok');
});
