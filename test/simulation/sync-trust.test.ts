// Whose messages a node accepts: restarts, replayed recordings, other tokens, another -encrypt.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields, Logger } from '../../src/shared/logger.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { LossyNetwork, type Station, welcomedPair } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');

interface Said {
  readonly event: string;
  readonly fields: LogFields | undefined;
}

function listener(): { said: Said[]; log: Logger } {
  const said: Said[] = [];
  const note = (event: string, fields?: LogFields): void => {
    said.push({ event, fields });
  };
  return { said, log: { ...silentLogger, warn: note, error: note } };
}

function pair(seed: number): ReturnType<typeof welcomedPair> {
  return welcomedPair({ seed }, keys);
}

function say(network: LossyNetwork, from: Station, payload: string): void {
  from.publish('t', payload);
  network.flush();
  network.run(5);
}

function heard(station: Station): string[] {
  return station.inbox.map((message) => message.payload.toString('latin1'));
}

test('a replayed recording reaches no client', () => {
  const { network, a, b } = pair(1);
  network.isRecording = true;
  for (let i = 0; i < 50; i++) say(network, a, `m${i}`);
  network.isRecording = false;
  const before = heard(b);
  assert.equal(before.length, 50);
  const data = network.recorded.filter(({ datagram }) => datagram[24] === 1);
  for (const { toPort, datagram } of data) network.inject(toPort, datagram);
  network.run(100);
  assert.deepEqual(heard(b), before);
  assert.equal(b.statusOf('a').counters.duplicateDatagrams, 50);
});

test('a recording from before the restart of the receiver reaches no client', () => {
  const { network, a, b } = pair(2);
  network.isRecording = true;
  for (let i = 0; i < 50; i++) say(network, a, `m${i}`);
  const recorded = [...network.recorded];
  const again = network.restart(b, { name: 'b', keys, bootId: 99n });
  // The attacker is quicker than the welcome: its datagrams wait, then turn out to be old.
  network.options.delayMs = [5, 5];
  again.node.setPeers([a.peer], network.now);
  for (const { toPort, datagram } of recorded) network.inject(toPort, datagram);
  a.node.setPeers([again.peer], network.now);
  network.run(200);
  for (const { toPort, datagram } of recorded) network.inject(toPort, datagram);
  network.run(100);
  assert.ok(again.statusOf('a').isWelcome);
  assert.deepEqual(heard(again), []);
  say(network, a, 'new');
  network.run(10);
  assert.deepEqual(heard(again), ['new']);
});

test('a replayed welcome does not make a node accept a recording', () => {
  const network = new LossyNetwork({ seed: 14 });
  const a = network.add({ name: 'a', keys });
  const b = network.add({ name: 'b', keys });
  network.isRecording = true;
  network.mesh();
  network.run(20);
  for (let i = 0; i < 5; i++) say(network, a, `m${i}`);
  const recorded = network.recorded.filter(({ toPort }) => toPort === b.peer.endpoint.port);
  const again = network.restart(b, { name: 'b', keys, bootId: 99n });
  again.node.setPeers([a.peer], network.now);
  for (const { toPort, datagram } of recorded) network.inject(toPort, datagram);
  network.run(100);
  assert.equal(again.statusOf('a').isWelcome, false);
  assert.deepEqual(heard(again), []);
});

test('a node repeats its hello at once when the peer shows that it knows the node', () => {
  const network = new LossyNetwork({ seed: 15 });
  const a = network.add({ name: 'a', keys });
  const b = network.add({ name: 'b', keys });
  b.node.setPeers([a.peer], network.now);
  network.run(10_000);
  assert.equal(b.statusOf('a').isWelcome, false);
  a.node.setPeers([b.peer], network.now);
  network.run(1);
  assert.ok(b.statusOf('a').isWelcome);
  assert.ok(a.statusOf('b').isWelcome);
});

test('a recording from before the restart of the sender reaches no client', () => {
  const { network, a, b } = pair(3);
  network.isRecording = true;
  for (let i = 0; i < 10; i++) say(network, a, `m${i}`);
  const recorded = [...network.recorded];
  const again = network.restart(a, { name: 'a', keys, bootId: 77n });
  b.node.setPeers([again.peer], network.now);
  again.node.setPeers([b.peer], network.now);
  network.run(100);
  for (const { toPort, datagram } of recorded) network.inject(toPort, datagram);
  network.run(100);
  assert.equal(heard(b).length, 10);
  assert.equal(b.node.counters.droppedDatagrams.unknownSender, 10);
  say(network, again, 'new life');
  assert.equal(heard(b).at(-1), 'new life');
});

test('a recording from before a peer was offline reaches no client after its return', () => {
  const { network, a, b } = pair(4);
  network.isRecording = true;
  for (let i = 0; i < 10; i++) say(network, a, `m${i}`);
  const recorded = [...network.recorded];
  // a never notices: what b was last welcomed to is as old as the recording.
  b.node.setPeers([], network.now);
  network.run(1000);
  b.node.setPeers([a.peer], network.now);
  network.run(100);
  for (const { toPort, datagram } of recorded) network.inject(toPort, datagram);
  network.run(100);
  assert.equal(heard(b).length, 10);
  say(network, a, 'still there');
  assert.equal(heard(b).at(-1), 'still there');
});

test('a message whose sender goes offline between two segments is counted as lost', () => {
  const { network, a, b } = pair(13);
  network.isRecording = true;
  network.options.loss = 1;
  a.publish('t', 'x'.repeat(2000));
  network.flush();
  network.options.loss = 0;
  network.inject(b.peer.endpoint.port, network.recorded[0]?.datagram ?? Buffer.alloc(0));
  b.node.setPeers([], network.now);
  b.node.setPeers([a.peer], network.now);
  network.run(20);
  say(network, a, 'whole');
  network.run(30);
  assert.deepEqual(heard(b), ['whole']);
  assert.equal(b.statusOf('a').counters.lostMessages, 1);
});

test('a new peer gets every message from the first one that is sent to it', () => {
  const { network, a, b } = pair(5);
  for (let i = 0; i < 10; i++) say(network, a, `old${i}`);
  const c = network.add({ name: 'c', keys });
  network.options.delayMs = [3, 3];
  a.node.setPeers([b.peer, c.peer], network.now);
  for (let i = 0; i < 5; i++) {
    a.publish('t', `new${i}`);
    network.flush();
  }
  // The first datagrams are quicker than the answer to c's hello.
  c.node.setPeers([a.peer], network.now);
  network.run(100);
  assert.deepEqual(heard(c), ['new0', 'new1', 'new2', 'new3', 'new4']);
  assert.equal(c.statusOf('a').counters.lostMessages, 0);
  assert.equal(heard(b).length, 15);
});

test('at most 64 datagrams wait for the first answer of a peer, and the others count as lost', () => {
  const { network, a, b } = pair(12);
  const c = network.add({ name: 'c', keys });
  c.node.setPeers([a.peer], network.now);
  // a is slow to answer: c's hello does not arrive, a's messages do.
  const { port } = c.peer.endpoint;
  network.options.passes = (from, to) => from !== port && to !== port;
  a.node.setPeers([b.peer, c.peer], network.now);
  for (let i = 0; i < 200; i++) {
    a.publish('t', `${i}`);
    network.flush();
    network.run(1);
  }
  assert.deepEqual(heard(c), []);
  delete network.options.passes;
  network.run(2000);
  assert.equal(heard(c).length, 64);
  say(network, a, 'later');
  network.run(30);
  assert.equal(c.statusOf('a').counters.lostMessages, 136);
});

test('messages that a peer has not answered for ten seconds are not sent, but counted as lost', () => {
  const { network, a, b } = pair(11);
  const c = network.add({ name: 'c', keys });
  a.node.setPeers([b.peer, c.peer], network.now);
  for (let i = 0; i < 5; i++) say(network, a, `early${i}`);
  network.run(11_000);
  assert.ok(c.node.counters.droppedDatagrams.unknownSender >= 5);
  c.node.setPeers([a.peer], network.now);
  network.run(50);
  say(network, a, 'known');
  network.run(30);
  assert.deepEqual(heard(c), ['known']);
  assert.equal(c.statusOf('a').counters.lostMessages, 5);
});

test('a node with another token gets no message, and its datagrams are only counted', () => {
  const { network, a, b } = pair(6);
  return syncKeys('wrong').then((wrongKeys) => {
    const stranger = network.add({ name: 'x', keys: wrongKeys });
    stranger.node.setPeers([a.peer, b.peer], network.now);
    for (let i = 0; i < 5; i++) say(network, stranger, 'let me in');
    say(network, a, 'among us');
    network.run(5000);
    assert.deepEqual(heard(stranger), []);
    assert.deepEqual(heard(b), ['among us']);
    assert.ok(a.node.counters.droppedDatagrams.unknownKey >= 5);
  });
});

test('a token is changed node by node without losing a message', async () => {
  const oldOnly = await syncKeys('old');
  const both = await syncKeys('old', 'new');
  const bothNewFirst = await syncKeys('new', 'old');
  const newOnly = await syncKeys('new');
  const network = new LossyNetwork({ seed: 7 });
  const stations = ['a', 'b', 'c'].map((name) => network.add({ name, keys: oldOnly }));
  network.mesh();
  network.run(20);
  let sent = 0;
  for (const next of [both, bothNewFirst, newOnly]) {
    for (const station of stations) {
      station.node.rekey(next);
      for (const sender of stations) say(network, sender, `${sent++}`);
    }
  }
  for (const station of stations) assert.equal(station.inbox.length, (sent * 2) / 3);
});

test('nodes that differ in -encrypt log it with the name of the peer, and nothing crosses', () => {
  const here = listener();
  const there = listener();
  const network = new LossyNetwork({ seed: 8 });
  const a = network.add({ name: 'a', keys, encrypt: true, log: here.log });
  const b = network.add({ name: 'b', keys, log: there.log });
  network.mesh();
  network.run(3000);
  say(network, a, 'sealed');
  say(network, b, 'open');
  assert.deepEqual([heard(a), heard(b)], [[], []]);
  assert.deepEqual(here.said[0], {
    event: '-encrypt differs between this node and a peer; nothing crosses',
    fields: { peer: 'b', here: 'on', there: 'off' },
  });
  assert.deepEqual(there.said[0]?.fields, { peer: 'a', here: 'off', there: 'on' });
  assert.equal(here.said.length, 1);
  assert.ok(b.statusOf('a').counters.wrongMode > 0);
});

test('a peer whose sync port is silent is logged, and its messages arrive once it answers', () => {
  const { said, log } = listener();
  const network = new LossyNetwork({ seed: 9 });
  const a = network.add({ name: 'a', keys });
  const b = network.add({ name: 'b', keys, log });
  network.options.loss = 1;
  network.mesh();
  network.run(20_000);
  assert.equal(said.length, 1);
  assert.equal(said[0]?.fields?.peer, 'a');
  assert.equal(b.statusOf('a').isWelcome, false);
  network.options.loss = 0;
  network.run(1100);
  assert.ok(b.statusOf('a').isWelcome);
  say(network, a, 'at last');
  assert.deepEqual(heard(b), ['at last']);
});

test('the answer to a hello is not longer than the hello', () => {
  const network = new LossyNetwork({ seed: 10 });
  network.isRecording = true;
  network.add({ name: 'a', keys });
  network.add({ name: 'b', keys });
  network.mesh();
  network.run(20);
  const sizes = network.recorded.map(({ datagram }) => datagram.length);
  // One hello and one welcome each way, then a heartbeat each way. A hello is as long as a data datagram.
  assert.deepEqual(sizes, [1400, 1400, 64, 64, 104, 104]);
});
