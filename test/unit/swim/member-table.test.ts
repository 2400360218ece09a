import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MEMBERS_MAX,
  type Member,
  MemberTable,
  RETENTION_MS,
} from '../../../src/swim/member-table.ts';
import type { MemberState } from '../../../src/swim/record.ts';
import { seededRandom } from '../../support/random.ts';

function member(name: string, state: MemberState = 'alive', offlineSince = 0): Member {
  return {
    name,
    bootId: BigInt(`0x${Buffer.from(name).toString('hex')}`),
    incarnation: 0,
    state,
    address: { address: '10.0.0.1', port: 7946 },
    reported: { address: '10.0.0.1', port: 7946 },
    isAdvertised: false,
    metadata: Buffer.alloc(0),
    link: undefined,
    strikes: 0,
    suspicionDeadline: Number.POSITIVE_INFINITY,
    stateSince: offlineSince,
    offlineSince,
    heardSinceOffline: 0,
    heardOfflineAt: 0,
    directMisses: 0,
    missesSince: 0,
    isUnheard: false,
    isNacked: false,
    rttMs: undefined,
    lastAckAt: undefined,
    conflictReportedAt: 0,
    hash: 0n,
  };
}

function tableOf(...names: string[]): MemberTable {
  const table = new MemberTable(seededRandom(1));
  for (const name of names) table.add(member(name));
  return table;
}

test('each member is probed within 2N periods, and the neighbour in every second one', () => {
  const names = Array.from({ length: 9 }, (_, index) => `n${index}`);
  const table = tableOf(...names);
  const lastAt = new Map(names.map((name) => [name, 0]));
  for (let period = 1; period <= 500; period++) {
    const name = table.nextProbeTarget('n4x')?.name ?? '';
    if (period % 2 === 1) assert.equal(name, 'n5');
    assert.ok(period - lastAt.get(name)! <= 2 * names.length, `${name} waited too long`);
    lastAt.set(name, period);
  }
  for (const at of lastAt.values()) assert.ok(500 - at <= 2 * names.length);
});

test('the last name is followed by the first, and offline members are skipped', () => {
  const table = tableOf('a', 'b', 'c');
  assert.equal(table.nextProbeTarget('z')?.name, 'a');
  table.update(table.get('a')!, { state: 'offline' });
  table.nextProbeTarget('z');
  assert.equal(table.nextProbeTarget('z')?.name, 'b');
  for (const name of ['b', 'c']) table.update(table.get(name)!, { state: 'left' });
  assert.equal(table.nextProbeTarget('z'), undefined);
});

test('two tables with the same online members have the same hash, whatever their histories', () => {
  const one = tableOf('a', 'b', 'c');
  const other = tableOf('c', 'b', 'a');
  assert.equal(one.hash, other.hash);
  one.update(one.get('b')!, { state: 'suspect' });
  assert.equal(one.hash, other.hash, 'a suspicion does not change the hash');
  one.update(one.get('b')!, { state: 'offline' });
  assert.notEqual(one.hash, other.hash);
  other.remove(other.get('b')!);
  assert.equal(one.hash, other.hash);
  one.update(one.get('a')!, { incarnation: 1 });
  assert.notEqual(one.hash, other.hash);
  assert.equal(tableOf().hash, 0n);
});

test('a full table evicts the member that has been offline longest, never an online one', () => {
  const table = new MemberTable(seededRandom(1));
  for (let index = 0; index < MEMBERS_MAX - 2; index++) table.add(member(`n${index}`));
  table.add(member('gone-1', 'offline', 50));
  table.add(member('gone-2', 'left', 20));
  assert.equal(table.isFull, true);
  assert.equal(table.evict(false)?.name, 'gone-2');
  assert.equal(table.evict(false)?.name, 'gone-1');
  assert.equal(table.evict(false), undefined);
  assert.equal(table.size, MEMBERS_MAX - 2);
});

test('a member that is offline for a day is forgotten', () => {
  const table = tableOf('a');
  table.add(member('b', 'offline', 1000));
  table.removeExpired(RETENTION_MS + 999);
  assert.ok(table.get('b') !== undefined);
  table.removeExpired(RETENTION_MS + 1000);
  assert.equal(table.get('b'), undefined);
  assert.ok(table.get('a') !== undefined);
});

test('a sample has different members that pass the filter', () => {
  const table = tableOf('a', 'b', 'c', 'd', 'e');
  for (let round = 0; round < 50; round++) {
    const names = table.randomOnline(3, (one) => one.name !== 'c').map((one) => one.name);
    assert.equal(new Set(names).size, 3);
    assert.ok(!names.includes('c'));
  }
});
