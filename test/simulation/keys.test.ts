// Rotation of the cluster token in a running cluster, with real envelopes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  Opener,
  Sealer,
} from '../../src/shared/envelope.ts';
import { type ChannelKeys, deriveKeyRing } from '../../src/shared/key-ring.ts';
import { endpointFor, type SimEnvelope, type SimNode, Simulator } from '../support/simulator.ts';

function envelope(keys: ChannelKeys, encrypt: boolean): (bootId: bigint) => SimEnvelope {
  return (bootId) => {
    const sealer = new Sealer(keys, bootId, encrypt);
    const opener = new Opener(keys, encrypt);
    return {
      seal: (body) => {
        const end = ENVELOPE_HEADER_BYTES + body.length;
        const buffer = Buffer.alloc(end + ENVELOPE_TAG_BYTES);
        body.copy(buffer, ENVELOPE_HEADER_BYTES);
        return sealer.seal(buffer, end);
      },
      open: (datagram) => opener.open(Buffer.from(datagram)),
    };
  };
}

async function keysOf(...tokens: string[]): Promise<ChannelKeys> {
  return (await deriveKeyRing(tokens, 'rotation')).gossip;
}

function start(sim: Simulator, index: number, keys: ChannelKeys, encrypt = false): SimNode {
  return sim.start({
    name: `n${index}`,
    endpoint: endpointFor(index),
    seeds: [endpointFor(1), endpointFor(2)],
    envelope: envelope(keys, encrypt),
  });
}

for (const encrypt of [false, true]) {
  test(`the token changes node by node and no member is lost (encrypt ${encrypt})`, async () => {
    const sim = new Simulator(1);
    const stages = await Promise.all([
      keysOf('old'),
      keysOf('old', 'new'),
      keysOf('new', 'old'),
      keysOf('new'),
    ]);
    for (let index = 1; index <= 4; index++) start(sim, index, stages[0]!, encrypt);
    assert.ok(sim.runUntil(() => sim.isConverged(), 2000) !== undefined);
    for (const keys of stages.slice(1)) {
      for (let index = 1; index <= 4; index++) {
        const node = sim.running().find((one) => one.name === `n${index}`)!;
        sim.leave(node);
        sim.runFor(500);
        sim.kill(node);
        start(sim, index, keys, encrypt);
        assert.ok(sim.runUntil(() => sim.isConverged(), 2000) !== undefined, `n${index} is back`);
      }
    }
    assert.ok(sim.running().every((node) => node.refusedDatagrams === 0));
  });
}

test('a node with another token, or another -encrypt, finds no member and gets no answer', async () => {
  const sim = new Simulator(2);
  const [ours, theirs] = await Promise.all([keysOf('ours'), keysOf('theirs')]);
  const nodes = [1, 2].map((index) => start(sim, index, ours));
  sim.runFor(5000);
  for (const [index, stranger] of [
    [3, start(sim, 3, theirs)],
    [4, start(sim, 4, ours, true)],
  ] as const) {
    sim.runFor(5000);
    assert.equal(stranger.swim.table.size, 0);
    assert.equal(stranger.refusedDatagrams, 0, 'no node answered');
    for (const node of nodes) assert.equal(node.swim.table.get(`n${index}`), undefined);
  }
  assert.ok(nodes.every((node) => node.refusedDatagrams > 0));
});
