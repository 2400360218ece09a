// A peer with the token and a broken or hostile program: with any content of its authentic datagrams,
// nothing throws, memory stays bounded, and clients get only well-formed messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { victimOf } from '../support/hostile-peer.ts';
import { seededRandom } from '../support/random.ts';
import { publishPacket, syncKeys } from '../support/sync-fixtures.ts';

const ROUNDS = Number(process.env.SHOAL_FUZZ_ROUNDS ?? 20_000);
const keys = await syncKeys('token');

const BAD_PACKETS: Readonly<Record<string, Buffer>> = {
  'a topic with a wildcard': publishPacket({ topic: 'a' }, 5).fill('+', 4, 5),
  'a $ topic': publishPacket({ topic: '$x' }, 5),
  'an empty topic': Buffer.from([0x30, 3, 0, 0, 0]),
  'a topic that is not UTF-8': Buffer.from([0x30, 4, 0, 1, 0xff, 0]),
  'U+0000 in the topic': Buffer.from([0x30, 4, 0, 1, 0, 0]),
  'QoS 3': Buffer.from([0x36, 6, 0, 1, 0x61, 0, 1, 0]),
  'a topic alias': publishPacket({ topic: 'a', properties: { topicAlias: 1 } }, 5),
  'a subscription identifier': publishPacket(
    { topic: 'a', properties: { subscriptionIdentifier: 1 } },
    5,
  ),
  'a response topic with a wildcard': Buffer.from([0x30, 8, 0, 1, 0x61, 4, 8, 0, 1, 0x23]),
  'properties longer than the packet': Buffer.from([0x30, 4, 0, 1, 0x61, 9]),
  'a topic longer than the packet': Buffer.from([0x30, 4, 0, 9, 0x61, 0]),
};

for (const [name, packet] of Object.entries(BAD_PACKETS)) {
  test(`a packet with ${name} is counted, and its neighbours are delivered`, () => {
    const { node, peer, delivered } = victimOf(keys);
    const good = publishPacket({ topic: 'good', payload: 'x' });
    node.receive(peer.data(Buffer.concat([good, packet, good])), 1);
    assert.equal(delivered(), 2);
    const [status] = [...node.peers(1)];
    assert.equal(status?.counters.malformed, 1);
  });
}

test('a packet of 4096 bytes is not accepted from a peer', () => {
  const { node, peer, delivered } = victimOf(keys);
  const packet = publishPacket({ topic: 't', payload: Buffer.alloc(4096 - 7) });
  assert.equal(packet.length, 4096);
  node.receive(peer.data(packet.subarray(0, 3000)), 1);
  peer.sequence += 1;
  peer.number += 1;
  node.receive(peer.data(packet.subarray(3000), 1096), 1);
  assert.equal(delivered(), 0);
});

test(`${ROUNDS} authentic datagrams with hostile bodies break nothing`, () => {
  const random = seededRandom(7);
  const { node, peer, delivered } = victimOf(keys);
  const good = [10, 300, 1200, 3900].map((size) =>
    publishPacket({ topic: 'good', payload: Buffer.alloc(size, 1) }),
  );
  for (let i = 0; i < ROUNDS; i++) {
    const stream = Buffer.concat(good.filter(() => random() < 0.6));
    const from = Math.floor(random() * stream.length);
    const segment = Buffer.from(stream.subarray(random() < 0.5 ? 0 : from, from + 1344));
    const flips = random() < 0.5 ? 0 : Math.floor(random() * 5);
    for (let f = 0; f < flips && segment.length > 0; f++) {
      segment[Math.floor(random() * Math.min(segment.length, 40))] = Math.floor(random() * 256);
    }
    if (random() < 0.05) node.receive(peer.raw(segment.subarray(0, Math.floor(random() * 30))), i);
    const start = random() < 0.5 ? 0 : Math.floor(random() * (segment.length + 2));
    node.receive(peer.data(segment, start), i);
    peer.sequence += random() < 0.8 ? 1 : Math.floor(random() * 100) - 20;
    peer.number += Math.floor(random() * 4);
    if (peer.sequence < 1) peer.sequence = 1;
    node.advance(i);
  }
  assert.ok(delivered() > 0);
});
