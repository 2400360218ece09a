// What versions and places take in memory: that no more is kept than the bound says, and that a register takes no
// more than it is charged.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterClock } from '../../../src/replica/cluster-clock.ts';
import { GossipMap } from '../../../src/replica/gossip-map.ts';
import { RegisterMap } from '../../../src/replica/register-map.ts';
import { usedBytes } from '../../support/heap-summary.ts';

const OURS = 1n;
const THEIRS = 2n;
const HOUR_MS = 3_600_000;

test('a register takes no more memory than it is charged, cleared or not, also while a pass looks at it', () => {
  for (const hasValue of [true, false]) {
    // The least favourable count: hash tables have just doubled.
    const count = 140_000;
    const before = usedBytes();
    const map = new RegisterMap(OURS, { registersMax: count });
    for (let i = 0; i < count; i++) map.write(`topic/${i}`, hasValue, 1.7e12 + i);
    const times = { clusterTime: 1.7e12, tombstoneMs: HOUR_MS };
    const passes = [1, 2].map((now) => map.expire({ ...times, now }, () => true));
    for (const pass of passes) for (let i = 0; i < count; i++) pass.next();
    const took = usedBytes() - before;
    const { bytes } = map.memory;
    assert.ok(took <= bytes, `${took / count} bytes each, ${bytes / count} are charged`);
    passes.length = 0;
  }
});

test('a bound on memory holds for long keys, with values and without, of this node and of others', () => {
  const bytesMax = 100_000;
  for (const hasValue of [true, false]) {
    const map = new RegisterMap(OURS, { registersMax: 1000, bytesMax });
    for (let i = 1; i <= 100; i++) {
      map.write(`${i}`.padEnd(5000, 'x'), hasValue, i);
      const stamp = { writer: THEIRS, sequence: i, time: i };
      map.apply(`${i}`.padEnd(4000, 'y'), stamp, hasValue);
    }
    const { bytes } = map.memory;
    assert.ok(bytes < bytesMax + 6000 && bytes > bytesMax - 6000, `${bytes} bytes`);
  }
});

test('values count with their bytes, and give them back', () => {
  const options = { id: 2, writer: OURS, messageBytesMax: 1100, registersMax: 1000 };
  const bytesMax = 20_000;
  const port = { send: () => undefined, changed: () => undefined };
  const clock = new ClusterClock(0, 1000);
  const map = new GossipMap({ ...options, bytesMax, tombstoneMs: HOUR_MS }, clock, port, 0);
  let kept = 0;
  while (map.write(`client ${kept}`, Buffer.alloc(1000), 0)) kept += 1;
  assert.ok(kept >= 15 && kept <= 20, `${kept} values of 1,000 bytes`);
  for (let i = 0; i < kept; i++) map.write(`client ${i}`, Buffer.alloc(0), 1);
  assert.ok(map.write('one more', Buffer.alloc(1000), 2));
  const { bytes } = map.replica.map.memory;
  assert.ok(bytes < 1000 + 300 * (kept + 1), `${bytes} bytes for ${kept + 1} registers`);
});
