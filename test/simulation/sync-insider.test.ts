// What a node with the token can do to the sync channel of others: silence them while it speaks in their
// name, and no longer; direct next to nothing at an address that has not answered.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Peer } from '../../src/shared/peer.ts';
import { dataBody, forgedDatagram } from '../support/forged-datagram.ts';
import { LossyNetwork, type Station, welcomedPair } from '../support/lossy-network.ts';
import { publishPacket, syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');
const BYSTANDER_PORT = 60_000;
const packet = publishPacket({ topic: 't', payload: 'forged' });

function heard({ inbox }: Station): string[] {
  return inbox.map(({ payload }) => payload.toString('latin1'));
}

function say(network: LossyNetwork, from: Station, payload: string): void {
  from.publish('t', payload);
  network.flush();
  network.run(5);
}

/** @returns how long messages of `a` did not reach `b`, ms */
function silenceAfter(network: LossyNetwork, a: Station, b: Station): number {
  const before = network.now;
  while (network.now - before < 60_000) {
    say(network, a, 'late');
    if (heard(b).includes('late')) return network.now - before;
    network.run(95);
  }
  return Number.POSITIVE_INFINITY;
}

test('a counter far ahead in a peer’s name silences it for a few seconds only', () => {
  const { network, a, b } = welcomedPair({ seed: 1 }, keys);
  network.run(5000);
  const body = dataBody(2, 2, Buffer.alloc(0));
  const forged = forgedDatagram(keys, a.peer.bootId, 2 ** 53 - 1, body);
  network.inject(b.peer.endpoint.port, forged);
  const silentMs = silenceAfter(network, a, b);
  assert.ok(silentMs < 3000, `${silentMs} ms`);
  say(network, a, 'afterwards');
  assert.equal(heard(b).at(-1), 'afterwards');
});

test('wrong counters on both sides end as soon, and replays reach no client meanwhile', () => {
  const { network, a, b } = welcomedPair({ seed: 2 }, keys);
  network.isRecording = true;
  for (let i = 0; i < 20; i++) say(network, a, `m${i}`);
  const recorded = [...network.recorded];
  network.isRecording = false;
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const body = dataBody(100, 100, Buffer.alloc(0));
    const forged = forgedDatagram(keys, from.peer.bootId, 2 ** 53 - 1, body);
    network.inject(to.peer.endpoint.port, forged);
  }
  const silentMs = silenceAfter(network, a, b);
  assert.ok(silentMs < 4000, `${silentMs} ms`);
  for (const { toPort, datagram } of recorded) network.inject(toPort, datagram);
  network.run(100);
  assert.equal(heard(b).filter((one) => one === 'm7').length, 1);
  say(network, b, 'answer');
  assert.equal(heard(a).at(-1), 'answer');
});

test('a sequence far ahead in a peer’s name silences it until its second heartbeat', () => {
  const { network, a, b } = welcomedPair({ seed: 3 }, keys);
  network.run(5000);
  say(network, a, 'before');
  const body = dataBody(2 ** 48 - 2, 2 ** 48 - 2, packet);
  network.inject(b.peer.endpoint.port, forgedDatagram(keys, a.peer.bootId, 200, body));
  const silentMs = silenceAfter(network, a, b);
  assert.ok(silentMs < 4000, `${silentMs} ms`);
});

test('a peer that does not answer from its address gets no data, and few hellos', () => {
  const network = new LossyNetwork({ seed: 4 });
  const a = network.add({ name: 'a', keys });
  const ghosts = Array.from({ length: 4096 }, (_, i): Peer => {
    const endpoint = { address: '10.0.0.1', port: BYSTANDER_PORT };
    return { name: `ghost${i}`, bootId: BigInt(1000 + i), endpoint };
  });
  network.isRecording = true;
  a.node.setPeers(ghosts, network.now);
  for (let i = 0; i < 100; i++) say(network, a, 'x'.repeat(1000));
  network.run(10_000);
  const isData = ({ datagram }: { datagram: Buffer }): boolean => datagram[24] === 1;
  assert.equal(network.recorded.filter(isData).length, 0);
  const bytes = network.recorded.reduce((sum, { datagram }) => sum + datagram.length, 0);
  assert.ok(bytes / 10.5 < 1e6, `${Math.round(bytes / 10.5)} bytes a second at the bystander`);
});

test('a peer that moves to an address where it does not answer gets no more data', () => {
  const { network, a, b } = welcomedPair({ seed: 5 }, keys);
  const endpoint = { address: '10.0.0.1', port: BYSTANDER_PORT };
  a.node.setPeers([{ ...b.peer, endpoint }], network.now);
  network.isRecording = true;
  for (let i = 0; i < 10; i++) say(network, a, `m${i}`);
  assert.ok(network.recorded.every(({ datagram }) => datagram[24] !== 1));
  // What it was not sent meanwhile follows as soon as it answers.
  a.node.setPeers([b.peer], network.now);
  network.run(50);
  assert.deepEqual(heard(b), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9']);
});
