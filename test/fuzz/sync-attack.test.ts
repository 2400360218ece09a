// An attacker on the network without the token, with a recording of all traffic and every boot id: its
// datagrams reach no client and change only counters. SHOAL_FUZZ_ROUNDS sets the number of datagrams
// of each kind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENVELOPE_BYTES } from '../../src/shared/envelope.ts';
import { LossyNetwork, type Station } from '../support/lossy-network.ts';
import { seededRandom } from '../support/random.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const ROUNDS = Number(process.env.SHOAL_FUZZ_ROUNDS ?? 20_000);
const keys = await syncKeys('token');

type Attack = (recorded: readonly Buffer[], random: () => number) => Buffer;

function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

function scramble(buffer: Buffer, from: number, to: number, random: () => number): void {
  for (let i = from; i < to; i++) buffer[i] = Math.floor(random() * 256);
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'forged: right header, counter ahead, invented body and proof': (recorded, random) => {
    const forged = Buffer.from(pick(recorded, random).subarray(0, ENVELOPE_BYTES + 40));
    forged.writeUInt32BE(1_000_000 + Math.floor(random() * 1e9), 20);
    scramble(forged, 24, forged.length, random);
    return forged;
  },
  'replayed as they were': (recorded, random) => pick(recorded, random),
  'replayed under another counter': (recorded, random) => {
    const copy = Buffer.from(pick(recorded, random));
    copy.writeUInt32BE(copy.readUInt32BE(20) + 1 + Math.floor(random() * 1000), 20);
    return copy;
  },
  truncated: (recorded, random) => {
    const whole = pick(recorded, random);
    return whole.subarray(0, Math.floor(random() * whole.length));
  },
  'bit-flipped': (recorded, random) => {
    const copy = Buffer.from(pick(recorded, random));
    const bit = Math.floor(random() * copy.length * 8);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  },
  'random bytes': (_, random) => {
    const bytes = Buffer.alloc(Math.floor(random() * 200));
    scramble(bytes, 0, bytes.length, random);
    if (random() < 0.5 && bytes.length > 3) bytes.set([0x53, 0x48, 1]);
    return bytes;
  },
};

interface Scene {
  readonly network: LossyNetwork;
  readonly a: Station;
  readonly b: Station;
  readonly recorded: Buffer[];
}

function scene(encrypt: boolean): Scene {
  const network = new LossyNetwork({ seed: 1 });
  const a = network.add({ name: 'a', keys, encrypt });
  const b = network.add({ name: 'b', keys, encrypt });
  network.isRecording = true;
  network.mesh();
  network.run(20);
  for (let i = 0; i < 100; i++) {
    a.publish('t', `${i} ${'x'.repeat((i * 137) % 3000)}`);
    network.flush();
    network.run(1);
  }
  network.isRecording = false;
  // The first heartbeats follow each other fast.
  network.run(400);
  const recorded = network.recorded
    .filter(({ toPort }) => toPort === b.peer.endpoint.port)
    .map(({ datagram }) => datagram);
  return { network, a, b, recorded };
}

for (const encrypt of [false, true]) {
  for (const [name, attack] of Object.entries(ATTACKS)) {
    const mode = encrypt ? 'encrypted' : 'signed';
    test(`${mode}: ${ROUNDS} datagrams ${name}, reach no client and change nothing`, () => {
      const { network, a, b, recorded } = scene(encrypt);
      const random = seededRandom(42);
      const before = b.inbox.length;
      const beforeCounters = { ...b.statusOf('a').counters };
      network.isRecording = true;
      const sentBefore = network.recorded.length;
      for (let i = 0; i < ROUNDS; i++) {
        b.node.receive(attack(recorded, random), network.now);
        if (i % 1000 === 0) network.run(1);
      }
      network.run(200);
      assert.equal(b.inbox.length, before);
      assert.equal(network.recorded.length, sentBefore, 'no node answers');
      const { counters } = b.statusOf('a');
      const dropped = Object.values(b.node.counters.droppedDatagrams).reduce((x, y) => x + y, 0);
      const repeated =
        counters.duplicateDatagrams +
        counters.lateDatagrams -
        beforeCounters.duplicateDatagrams -
        beforeCounters.lateDatagrams;
      assert.equal(dropped + repeated, ROUNDS);
      if (!name.startsWith('replayed as')) assert.ok(repeated < ROUNDS / 100);
      assert.equal(counters.malformed, 0);
      a.publish('t', 'the true next one');
      network.flush();
      network.run(5);
      assert.equal(b.inbox.at(-1)?.payload.toString(), 'the true next one');
      assert.equal(b.statusOf('a').counters.lostMessages, 0);
    });
  }
}
