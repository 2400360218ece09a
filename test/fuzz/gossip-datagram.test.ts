// The gossip port of a running node gets random bytes, altered copies of real datagrams, and authentic
// datagrams with random bodies. The node answers no unproven sender, and another node can still join.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { Gossip, type GossipOptions } from '../../src/net/cluster/gossip.ts';
import { ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES, Sealer } from '../../src/shared/envelope.ts';
import { deriveKeyRing } from '../../src/shared/key-ring.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { TIMING_PRESETS } from '../../src/swim/timing.ts';
import { seededRandom } from '../support/random.ts';

const DATAGRAMS = 3000;
const BURST = 25;
const SEED = Number(process.env.SHOAL_FUZZ_SEED ?? Math.floor(Math.random() * 1e9));
const ring = await deriveKeyRing(['token'], 'fuzz');

function options(name: string, bootId: bigint, seeds: GossipOptions['seeds']): GossipOptions {
  return {
    name,
    bootId,
    keys: ring.gossip,
    encrypt: false,
    bind: '127.0.0.1',
    port: 0,
    seeds,
    metadata: { syncPort: 7947, version: '0.1.0' },
    ...TIMING_PRESETS.local,
    log: silentLogger,
    onPeers: () => undefined,
  };
}

test(`a node survives any datagram at its port (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  const below = (limit: number): number => Math.floor(random() * limit);
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)));
  const node = await Gossip.start(options('n1', 1n, []));
  const stranger = dgram.createSocket('udp4');
  let answers = 0;
  stranger.on('message', () => {
    answers += 1;
  });
  stranger.bind(0, '127.0.0.1');
  await once(stranger, 'listening');
  const sealer = new Sealer(ring.gossip, 99n, false);

  const datagram = (): Buffer => {
    if (below(3) === 0) return bytes(below(1400));
    const body = bytes(below(100));
    if (body.length > 0) body[0] = below(10);
    const buffer = Buffer.alloc(ENVELOPE_HEADER_BYTES + body.length + ENVELOPE_TAG_BYTES);
    body.copy(buffer, ENVELOPE_HEADER_BYTES);
    const sealed = sealer.seal(buffer, ENVELOPE_HEADER_BYTES + body.length);
    if (below(2) === 0) sealed[below(sealed.length)]! ^= 1 << below(8);
    return sealed;
  };
  for (let sent = 0; sent < DATAGRAMS; sent += BURST) {
    for (let count = 0; count < BURST; count++) {
      stranger.send(datagram(), node.local.port, '127.0.0.1');
    }
    while (node.counters.received < sent + BURST) await new Promise((next) => setImmediate(next));
  }
  const { badMac, foreign, malformed, challenges } = node.counters;
  assert.ok(badMac > 0 && foreign > 0 && malformed > 0);
  assert.ok(
    answers <= challenges,
    'the node sends only challenges, and only for authentic datagrams',
  );
  assert.equal(node.members().length, 1);

  const second = await Gossip.start(
    options('n2', 2n, [{ host: '127.0.0.1', port: node.local.port }]),
  );
  assert.deepEqual(
    second.members().map((member) => `${member.name} ${member.state}`),
    ['n2 alive', 'n1 alive'],
  );
  stranger.close();
  await Promise.all([node.close(), second.close()]);
});
