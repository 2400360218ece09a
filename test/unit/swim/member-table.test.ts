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

function member(name: string, state: MemberState = 'alive', goneAt = 0): Member {
  return {
    name,
    bootId: BigInt(`0x${Buffer.from(name).toString('hex')}`),
    incarnation: 0,
    state,
    address: { address: '10.0.0.1', port: 7946 },
    isAdvertised: false,
    metadata: Buffer.alloc(0),
    link: undefined,
    strikes: 0,
    suspicionDeadline: Number.POSITIVE_INFINITY,
    goneAt,
    lastAnswerAt: undefined,
    contestedAt: 0,
    hash: 0n,
  };
}

function tableOf(...names: string[]): MemberTable {
  const table = new MemberTable(seededRandom(1));
  for (const name of names) table.add(member(name));
  return table;
}

test('everybody is pinged within 2N rounds, and the neighbour every second one', () => {
  const names = Array.from({ length: 9 }, (_, index) => `n${index}`);
  const table = tableOf(...names);
  const lastAt = new Map(names.map((name) => [name, 0]));
  for (let round = 1; round <= 500; round++) {
    const name = table.nextInTurn('n4x')?.name ?? '';
    if (round % 2 === 1) assert.equal(name, 'n5');
    assert.ok(round - lastAt.get(name)! <= 2 * names.length, `${name} waited too long`);
    lastAt.set(name, round);
  }
  for (const at of lastAt.values()) assert.ok(500 - at <= 2 * names.length);
});

test('the last name is followed by the first, and the offline are passed over', () => {
  const table = tableOf('a', 'b', 'c');
  assert.equal(table.nextInTurn('z')?.name, 'a');
  table.update(table.get('a')!, { state: 'offline' });
  table.nextInTurn('z');
  assert.equal(table.nextInTurn('z')?.name, 'b');
  for (const name of ['b', 'c']) table.update(table.get(name)!, { state: 'left' });
  assert.equal(table.nextInTurn('z'), undefined);
});

test('two tables have the same hash when the same members are online, however they got there', () => {
  const one = tableOf('a', 'b', 'c');
  const other = tableOf('c', 'b', 'a');
  assert.equal(one.hash, other.hash);
  one.update(one.get('b')!, { state: 'suspect' });
  assert.equal(one.hash, other.hash, 'a suspicion passes by itself');
  one.update(one.get('b')!, { state: 'offline' });
  assert.notEqual(one.hash, other.hash);
  other.remove(other.get('b')!);
  assert.equal(one.hash, other.hash);
  one.update(one.get('a')!, { incarnation: 1 });
  assert.notEqual(one.hash, other.hash);
  assert.equal(tableOf().hash, 0n);
});

test('a full table drops who has been gone longest, never who is online', () => {
  const table = new MemberTable(seededRandom(1));
  for (let index = 0; index < MEMBERS_MAX - 2; index++) table.add(member(`n${index}`));
  table.add(member('gone-1', 'offline', 50));
  table.add(member('gone-2', 'left', 20));
  assert.ok(table.add(member('new-1')));
  assert.equal(table.get('gone-2'), undefined);
  assert.ok(table.add(member('new-2')));
  assert.equal(table.add(member('new-3')), false);
  assert.equal(table.size, MEMBERS_MAX);
});

test('who is gone for a day is forgotten', () => {
  const table = tableOf('a');
  table.add(member('b', 'offline', 1000));
  table.removeExpired(RETENTION_MS + 999);
  assert.ok(table.get('b') !== undefined);
  table.removeExpired(RETENTION_MS + 1000);
  assert.equal(table.get('b'), undefined);
  assert.ok(table.get('a') !== undefined);
});

test('the sample is of different members that pass the filter', () => {
  const table = tableOf('a', 'b', 'c', 'd', 'e');
  for (let round = 0; round < 50; round++) {
    const names = table.randomOnline(3, (one) => one.name !== 'c').map((one) => one.name);
    assert.equal(new Set(names).size, 3);
    assert.ok(!names.includes('c'));
  }
});
