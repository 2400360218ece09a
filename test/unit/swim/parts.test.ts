// The small parts of membership, each tested alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalHealth } from '../../../src/swim/local-health.ts';
import { LocalNode } from '../../../src/swim/local-node.ts';
import type { MessageSender } from '../../../src/swim/message-sender.ts';
import { decodeMetadata, encodeMetadata } from '../../../src/swim/metadata.ts';
import { NameConflict } from '../../../src/swim/name-conflict.ts';
import { Nonces } from '../../../src/swim/nonces.ts';
import { supersedes } from '../../../src/swim/record.ts';
import {
  suspicionTimeoutMs,
  TIMING_PRESETS,
  timingFault,
  transmitLimit,
} from '../../../src/swim/timing.ts';
import { UpdateQueue } from '../../../src/swim/update-queue.ts';
import { seededRandom } from '../../support/random.ts';

test('SWIM 4.2: a higher incarnation wins, and at an equal one the graver state', () => {
  const order = [
    { incarnation: 1, state: 'alive' },
    { incarnation: 1, state: 'suspect' },
    { incarnation: 1, state: 'offline' },
    { incarnation: 1, state: 'left' },
    { incarnation: 2, state: 'alive' },
  ] as const;
  for (const [at, held] of order.entries()) {
    for (const [newsAt, news] of order.entries()) {
      assert.equal(supersedes(news, held), newsAt > at);
    }
  }
});

test('our own refutation is sent first, and each update as often as requested', () => {
  const updates = new UpdateQueue('me');
  updates.add('a', 2);
  updates.add('b', 2);
  updates.add('me', 1);
  const offered: string[] = [];
  const takeTwo = (name: string): boolean => {
    if (offered.length % 3 === 2) return false;
    offered.push(name);
    return true;
  };
  updates.drain(takeTwo);
  assert.deepEqual(offered, ['me', 'a']);
  const rest: string[] = [];
  while (updates.size > 0) updates.drain((name) => rest.push(name) > 0);
  assert.deepEqual(rest, ['b', 'a', 'b']);
});

test('a nonce is accepted for 30 to 60 seconds', () => {
  const nonces = new Nonces(seededRandom(1), 0);
  const first = nonces.current(0);
  assert.ok(nonces.isCurrent(29_999, first));
  assert.notEqual(nonces.current(30_000), first);
  assert.ok(nonces.isCurrent(59_999, first));
  assert.ok(!nonces.isCurrent(60_000, first));
  const later = nonces.current(60_000);
  assert.ok(!nonces.isCurrent(1_000_000, later), 'nor after a long silence');
});

test('metadata are decoded as they were encoded; broken and unknown fields are ignored', () => {
  const metadata = {
    syncPort: 7947,
    mqttPort: 1883,
    version: '0.1.0',
    machine: '0123456789abcdef',
  };
  const bytes = encodeMetadata(metadata);
  assert.deepEqual(decodeMetadata(bytes), metadata);
  assert.deepEqual(decodeMetadata(Buffer.concat([Buffer.from([99, 1, 7]), bytes])), metadata);
  assert.equal(decodeMetadata(Buffer.from([1, 2, 7])).syncPort, 0);
  assert.equal(decodeMetadata(Buffer.from([4, 2, 7, 7])).machine, undefined);
  assert.equal(decodeMetadata(Buffer.from([3, 2, 27, 91])).version, '?[');
});

test('of two processes with the same name exactly one yields, whatever their ages', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 500; round++) {
    const now = 1_000_000;
    const [one, other] = [contender(random, now), contender(random, now)];
    const verdicts = [verdictOf(one, other, now), verdictOf(other, one, now)];
    const yields = verdicts.filter((verdict) => verdict === 'yield').length;
    assert.equal(yields, 1, JSON.stringify(verdicts));
  }
});

function contender(random: () => number, now: number): LocalNode {
  const self = new LocalNode({
    name: 'same',
    bootId: BigInt(Math.floor(random() * 2 ** 40)),
    address: '10.0.0.1',
    port: 7946,
    isAdvertised: false,
    metadata: Buffer.alloc(0),
  });
  if (random() < 0.7) self.acceptName(now - Math.floor(random() * 4) * 700);
  return self;
}

function verdictOf(self: LocalNode, other: LocalNode, now: number): string {
  const source = { kind: 'direct', from: { address: '10.0.0.2', port: 1 }, reporter: 'x' } as const;
  return new NameConflict(self, {} as MessageSender, () => false).decide(
    now,
    other.record(now),
    source,
  );
}

test('the presets keep the rule for times, and a violation is described in words', () => {
  for (const preset of Object.values(TIMING_PRESETS)) assert.equal(timingFault(preset), undefined);
  assert.match(timingFault({ periodMs: 1000, pingTimeoutMs: 500 }) ?? '', /less than the period/);
  assert.match(
    timingFault({ periodMs: 10, pingTimeoutMs: 2 }) ?? '',
    /period must be 100 to 60000/,
  );
  assert.match(timingFault({ periodMs: 1000, pingTimeoutMs: 1 }) ?? '', /at least 20 ms/);
  assert.match(timingFault({ periodMs: 1000.5, pingTimeoutMs: 50 }) ?? '', /not 1000.5/);
});

test('transmissions and the time to refute grow with the logarithm of the cluster size', () => {
  assert.equal(transmitLimit(3, 1), 9);
  assert.equal(transmitLimit(10, 1), 12);
  assert.equal(transmitLimit(10, 100), 4);
  assert.equal(suspicionTimeoutMs(3, 1000), 10_000);
  assert.equal(suspicionTimeoutMs(100, 1000), 12_000);
});

test('the health score stays between 0 and 7, and stretches times less than threefold', () => {
  const health = new LocalHealth();
  health.improve();
  assert.equal(health.stretch, 1);
  for (let miss = 0; miss < 20; miss++) health.worsen();
  assert.equal(health.score, 7);
  assert.ok(health.stretch < 3);
});

test('a node learns its address from the others, a loopback address only if it has no other', () => {
  const self = new LocalNode({
    name: 'me',
    bootId: 1n,
    address: undefined,
    port: 7946,
    isAdvertised: false,
    metadata: Buffer.alloc(0),
  });
  const seen = (address: string): string | undefined => {
    self.observe({ address, port: 7946 });
    return self.address;
  };
  assert.equal(seen('127.0.0.1'), '127.0.0.1');
  assert.equal(seen('192.168.1.5'), '192.168.1.5');
  assert.equal(seen('::1'), '192.168.1.5');
  assert.equal(seen('192.168.1.6'), '192.168.1.6');
});
