import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldDatagrams } from '../../../src/sync/held-datagrams.ts';
import { HELD_BYTES_MAX, HELD_DATAGRAMS_MAX } from '../../../src/sync/limits.ts';
import type { PeerLink } from '../../../src/sync/peer-link.ts';

const link = { heldFrom: { sequence: 1, number: 1 } } as unknown as PeerLink;

function sequencesOf(datagrams: number, bytes: number): number[] {
  const held = new HeldDatagrams();
  for (let i = 1; i <= datagrams; i++) held.hold(0, i, 1, Buffer.alloc(bytes));
  return [...held.of(link, 0)].map(({ sequence }) => sequence);
}

test('the last datagrams are held, in their order', () => {
  const sequences = sequencesOf(HELD_DATAGRAMS_MAX + 10, 100);
  assert.equal(sequences.length, HELD_DATAGRAMS_MAX);
  assert.deepEqual([sequences[0], sequences.at(-1)], [11, HELD_DATAGRAMS_MAX + 10]);
});

test('large datagrams that are held fit into a receive buffer together', () => {
  const sequences = sequencesOf(20, 65_000);
  assert.equal(sequences.length, Math.floor(HELD_BYTES_MAX / 65_000));
  assert.equal(sequences.at(-1), 20);
});
