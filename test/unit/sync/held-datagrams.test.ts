import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelBytes } from '../../../src/sync/ack-codec.ts';
import { HeldDatagrams } from '../../../src/sync/held-datagrams.ts';
import { HELD_DATAGRAMS_MAX } from '../../../src/sync/limits.ts';
import type { PeerLink } from '../../../src/sync/peer-link.ts';

/** Linux keeps twice of its default of 212,992 bytes for a socket. */
const SMALL_BUFFER_BYTES = 425_984;

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

for (const bytes of [65_000, 32_000, 8952, 1400]) {
  test(`datagrams of ${bytes} bytes that are held fit into the default receive buffer of Linux together`, () => {
    const sequences = sequencesOf(100, bytes);
    assert.ok(sequences.length * kernelBytes(bytes) <= SMALL_BUFFER_BYTES);
    assert.ok(sequences.length === HELD_DATAGRAMS_MAX || sequences.length * bytes >= 200_000);
    assert.equal(sequences.at(-1), 100);
  });
}
