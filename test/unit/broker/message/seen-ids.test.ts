// What the memory of messages that came over bridges promises: a generation at least, in fixed memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeenIds } from '../../../../src/broker/message/seen-ids.ts';

const GENERATION = 32_768;

test('a message is known for a generation at least, and for two at most', () => {
  const seen = new SeenIds();
  const addRange = (from: number, to: number): number => {
    let added = 0;
    for (let id = from; id < to; id++) if (seen.add(Math.imul(id, 0x9e3779b1), id)) added += 1;
    return added;
  };
  assert.equal(addRange(0, GENERATION + 10), GENERATION + 10, 'all are new');
  assert.equal(addRange(0, GENERATION + 10), 0, 'all are known');
  addRange(GENERATION + 10, 2 * GENERATION);
  assert.equal(addRange(0, 10), 10, 'the first generation is forgotten');
});

test('both halves of the hash count, and zero is a hash as well', () => {
  const seen = new SeenIds();
  const hashes = [
    [0, 0],
    [0, 1],
    [1, 1],
    [-1, 0],
  ] as const;
  for (const [low, high] of hashes) assert.ok(seen.add(low, high));
  for (const [low, high] of hashes) assert.ok(!seen.add(low, high));
});

test('hashes that are chosen to collide are new ones, one and all', () => {
  const seen = new SeenIds();
  for (let high = 1; high < 10_000; high++) assert.ok(seen.add(7, high));
});
