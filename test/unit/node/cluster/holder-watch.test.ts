import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HolderWatch } from '../../../../src/node/cluster/holder-watch.ts';

const PROBE_MS = 300;

/** Sends probes while the watch asks for them. @returns the time when it asks for no more */
function probe(watch: HolderWatch, from: number, isAnswered: (now: number) => boolean): number {
  let now = from;
  while (watch.isWatching) {
    now += PROBE_MS;
    watch.probed(isAnswered(now), now);
    assert.ok(now - from < 60_000, 'it asks for probes without an end');
  }
  return now;
}

test('the node that comes first takes an address that is silent', () => {
  const watch = new HolderWatch();
  watch.choose(true, 0);
  assert.equal(watch.mayHold, false);
  const takenAt = probe(watch, 0, () => false);
  assert.ok(takenAt <= 1200);
  assert.deepEqual([watch.mayHold, watch.isUsed], [true, false]);
  // Its own silence says nothing about nodes before it: its next turn is probed as well.
  assert.equal(watch.isLost, false);
});

test('the address of another host is not taken, until that host is gone', () => {
  const watch = new HolderWatch();
  watch.choose(true, 0);
  const refusedAt = probe(watch, 0, () => true);
  assert.deepEqual([watch.mayHold, watch.isUsed], [false, true]);
  watch.choose(true, refusedAt + 30_000);
  const again = probe(watch, refusedAt + 30_000, () => true);
  assert.deepEqual([watch.mayHold, watch.isUsed], [false, true]);
  watch.choose(true, again + 30_000);
  assert.equal(watch.mayHold, false);
  probe(watch, again + 30_000, () => false);
  assert.deepEqual([watch.mayHold, watch.isUsed], [true, false]);
});

test('silence of a minute ago does not count for an address that was not probed since', () => {
  const watch = new HolderWatch();
  watch.setSuspect(true, 0);
  const lostAt = probe(watch, 0, () => false);
  assert.equal(watch.isLost, true);
  watch.setSuspect(false, lostAt);
  watch.choose(true, lostAt + 60_000);
  assert.equal(watch.mayHold, false);
  probe(watch, lostAt + 60_000, () => true);
  assert.equal(watch.isUsed, true);
});

test('the address that the kernel of a killed holder keeps for three seconds is taken after them', () => {
  const watch = new HolderWatch();
  watch.choose(true, 0);
  const takenAt = probe(watch, 0, (now) => now < 3300);
  assert.equal(watch.mayHold, true);
  assert.ok(takenAt < 4500, `${takenAt} ms`);
});

test('a hook moves an address that answers elsewhere until then', () => {
  const watch = new HolderWatch(true);
  watch.choose(true, 0);
  assert.ok(probe(watch, 0, () => true) < 4500);
  assert.deepEqual([watch.mayHold, watch.isUsed], [true, false]);
});

test('a holder keeps the address when a node that comes later answers there too', () => {
  const watch = new HolderWatch();
  watch.choose(true, 0);
  const takenAt = probe(watch, 0, () => false);
  watch.probed(true, takenAt + 10_000);
  assert.deepEqual([watch.mayHold, watch.isUsed, watch.isWatching], [true, false, false]);
});
