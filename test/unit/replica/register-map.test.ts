import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegisterMap } from '../../../src/replica/register-map.ts';
import { StateHash } from '../../../src/replica/state-hash.ts';

const OURS = 1n;
const THEIRS = 2n;
const LIMITS = { registersMax: 10 };

test('the newer of two writes is kept, in whatever order they arrive', () => {
  const older = { time: 100, writer: THEIRS, sequence: 1 };
  const newer = { time: 101, writer: THEIRS, sequence: 2 };
  for (const order of [
    [older, newer],
    [newer, older],
  ]) {
    const map = new RegisterMap(OURS, LIMITS);
    for (const stamp of order) map.apply('a', stamp, true);
    assert.equal(map.get('a')?.sequence, 2);
  }
});

test('at the same time the higher boot id wins on every node', () => {
  const map = new RegisterMap(OURS, LIMITS);
  map.write('a', true, 100);
  assert.equal(map.apply('a', { time: 100, writer: THEIRS, sequence: 1 }, true), 'newer');
  assert.equal(map.apply('a', { time: 100, writer: 0n, sequence: 1 }, true), 'older');
});

test('a write of this node is newer than what it replaces, even if its clock is behind', () => {
  const map = new RegisterMap(OURS, LIMITS);
  map.apply('a', { time: 5000, writer: THEIRS, sequence: 1 }, true);
  assert.equal(map.write('a', true, 100)?.time, 5001);
});

test('a write by a clock that was slow stays if the other one is older in truth, and gets a version that wins', () => {
  const slow = (): RegisterMap => {
    const map = new RegisterMap(OURS, LIMITS, (time) => (time < 1000 ? time + 1_000_000 : time));
    map.write('a', true, 500);
    return map;
  };
  const map = slow();
  const older = { time: 1_000_400, writer: THEIRS, sequence: 1 };
  assert.equal(map.apply('a', older, false), 'rewritten');
  const { time, writer, sequence, hasValue } = map.get('a')!;
  assert.deepEqual([time, writer, sequence, hasValue], [1_000_500, OURS, 2, true]);
  const other = new RegisterMap(THEIRS, LIMITS);
  other.apply('a', { time: 500, writer: OURS, sequence: 1 }, true);
  other.write('a', false, older.time);
  assert.equal(other.apply('a', { time, writer, sequence }, hasValue), 'newer');
  const newer = { time: 1_000_600, writer: THEIRS, sequence: 1 };
  assert.equal(slow().apply('a', newer, true), 'newer');
});

test('a cleared key stays cleared when an older value comes late', () => {
  const map = new RegisterMap(OURS, LIMITS);
  map.apply('a', { time: 200, writer: THEIRS, sequence: 2 }, false);
  assert.equal(map.apply('a', { time: 100, writer: THEIRS, sequence: 1 }, true), 'older');
  assert.equal(map.get('a')?.hasValue, false);
  assert.equal(map.tombstones, 1);
});

test('the same values give the same hash, however they came', () => {
  const one = new RegisterMap(OURS, LIMITS);
  const other = new RegisterMap(THEIRS, LIMITS);
  const a = one.write('a', true, 100)!;
  other.apply('b', { time: 50, writer: 9n, sequence: 1 }, true);
  assert.notEqual(one.valuesHash, other.valuesHash);
  other.apply('a', { time: a.time, writer: OURS, sequence: a.sequence }, true);
  one.apply('b', { time: 50, writer: 9n, sequence: 1 }, true);
  assert.equal(one.valuesHash, other.valuesHash);
  assert.equal(one.digestHash, other.digestHash);
});

test('the hash of the digest follows every change of it', () => {
  const map = new RegisterMap(OURS, { registersMax: 4 });
  const stamp = (time: number, sequence: number) => ({ time, writer: THEIRS, sequence });
  const changes: readonly (() => unknown)[] = [
    () => map.write('a', true, 100),
    () => map.apply('b', stamp(200, 1), true),
    () => map.apply('b', stamp(300, 3), true),
    () => map.cover(THEIRS, { from: 1, to: 2 }),
    () => map.apply('c', { time: 400, writer: 9n, sequence: 1 }, false),
    () => map.write('z', true, 450),
    () => map.apply('d', stamp(500, 7), true),
    () => [...map.expire({ clusterTime: 1e6, now: 0, tombstoneMs: 1 }, () => true)],
    () => [...map.expire({ clusterTime: 1e6, now: 1e6, tombstoneMs: 1 }, () => true)],
    () => map.apply('a', stamp(600, 4), true),
  ];
  for (const [index, change] of changes.entries()) {
    change();
    const fresh = new StateHash();
    for (const { writer, known } of map.digest()) {
      for (const { from, to } of known) fresh.toggle(String(from), to, writer);
    }
    assert.equal(map.digestHash, fresh.value, `after change ${index}`);
  }
});

test('a key that finds no room is refused, and other nodes do not take it for known here', () => {
  const map = new RegisterMap(OURS, { registersMax: 1 });
  map.apply('a', { time: 1, writer: THEIRS, sequence: 1 }, true);
  assert.equal(map.apply('b', { time: 2, writer: THEIRS, sequence: 2 }, true), 'full');
  assert.equal(map.write('c', true, 3), undefined);
  assert.deepEqual([...map.digest()], [{ writer: THEIRS, known: [{ from: 1, to: 1 }] }]);
});

test('a cleared key is forgotten after its time, a value never', () => {
  const map = new RegisterMap(OURS, LIMITS);
  map.write('a', true, 100);
  map.write('b', false, 100);
  const expire = (clusterTime: number, now: number): number => {
    for (const _ of map.expire({ clusterTime, now, tombstoneMs: 50 }, () => false));
    return map.size;
  };
  assert.equal(expire(100, 1000), 2);
  // The clock of the cluster catches up: other nodes may not have heard of it yet.
  assert.equal(expire(1e6, 1010), 2);
  assert.equal(expire(1e6, 1049), 2);
  assert.equal(expire(150, 1050), 2, 'not older than that by the clock of the cluster');
  assert.equal(expire(1e6, 1050), 1);
  assert.equal(map.tombstones, 0);
});

test('a value that expires leaves a cleared key, once', () => {
  const map = new RegisterMap(OURS, LIMITS);
  const none = map.valuesHash;
  const stamp = { time: 200, writer: THEIRS, sequence: 2 };
  map.apply('a', stamp, true);
  const register = map.get('a')!;
  for (let time = 0; time < 2; time++) {
    map.dropValue(register);
    assert.equal(map.valuesHash, none);
    assert.equal(map.tombstones, 1);
    assert.equal(map.get('a')?.hasValue, false);
  }
  assert.equal(map.apply('a', { ...stamp, time: 100, sequence: 1 }, true), 'older');
  assert.equal(map.apply('a', { ...stamp, time: 300, sequence: 3 }, true), 'newer');
  assert.equal(map.tombstones, 0);
});

test('cleared keys make room for no further key beyond their share of the memory', () => {
  const map = new RegisterMap(OURS, { registersMax: 1000, clearedBytesMax: 10_000 });
  const long = 'x'.repeat(3000);
  const clear = (n: number): boolean => {
    const isKept = map.write(`${long}${n}`, true, 100) !== undefined;
    if (isKept) map.write(`${long}${n}`, false, 101);
    return isKept;
  };
  assert.deepEqual([1, 2, 3, 4].map(clear), [true, true, true, false]);
  assert.equal(map.apply('b', { time: 100, writer: THEIRS, sequence: 1 }, true), 'full');
  assert.ok(map.write(`${long}1`, true, 200), 'a known key keeps its place');
  for (const now of [1000, 1050]) {
    for (const _ of map.expire({ clusterTime: 300, now, tombstoneMs: 50 }, () => true));
  }
  assert.equal(map.tombstones, 0);
  assert.ok(map.write('b', true, 200), 'there is room again once they are forgotten');
});
