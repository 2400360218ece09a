// What a node believes of what it is told of others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemberTable } from '../../../src/swim/member-table.ts';
import { Membership, type Source } from '../../../src/swim/membership.ts';
import type { MemberRecord, MemberState } from '../../../src/swim/record.ts';
import { UpdateQueue } from '../../../src/swim/update-queue.ts';

const PERIOD_MS = 1000;
const teller: Source = {
  kind: 'gossip',
  from: { address: '10.0.0.3', port: 7946 },
  teller: 'c',
};

function setUp() {
  const table = new MemberTable(() => 0);
  const updates = new UpdateQueue('a');
  const told: string[] = [];
  const membership = new Membership(table, updates, PERIOD_MS, {
    nameContested: () => undefined,
    memberChanged: ({ kind, name }) => told.push(`${kind} ${name}`),
  });
  return { table, updates, told, membership };
}

function record(name: string, state: MemberState): MemberRecord {
  const last = name.charCodeAt(0) - 'a'.charCodeAt(0);
  const detail = {
    address: `10.0.0.${last}`,
    port: 7946,
    isAdvertised: false,
    metadata: Buffer.alloc(0),
    ageMs: 0,
  };
  return { name, bootId: BigInt(last), incarnation: 0, state, detail };
}

test('a member that has just answered is not given up because another says so', () => {
  const { table, told, membership } = setUp();
  membership.apply(0, record('b', 'alive'), teller);
  const member = table.get('b');
  assert.ok(member !== undefined);
  membership.answered(5000, member);
  membership.apply(5500, record('b', 'offline'), teller);
  assert.equal(member.state, 'suspect', 'it may refute');
  assert.equal(member.strikes, 1, 'but it is pinged in every round from now on');
  assert.deepEqual(told, ['online b', 'suspect b']);
});

test('a member that has not answered for two rounds is given up with the others', () => {
  const { table, membership } = setUp();
  membership.apply(0, record('b', 'alive'), teller);
  const member = table.get('b');
  assert.ok(member !== undefined);
  membership.answered(5000, member);
  membership.apply(7000, record('b', 'offline'), teller);
  assert.equal(member.state, 'offline');
});

test('who is left alone does not tell later what was true then', () => {
  const { table, updates, membership } = setUp();
  for (const name of ['b', 'c']) membership.apply(0, record(name, 'alive'), teller);
  for (const name of ['b', 'c']) {
    const member = table.get(name);
    assert.ok(member !== undefined);
    for (let round = 1; round <= 3; round++) membership.strike(round * PERIOD_MS, member, 1);
    assert.equal(member.state, 'offline');
  }
  assert.equal(updates.size, 0);
});

test('a loopback address that another machine tells is taken as that machine', () => {
  const { table, membership } = setUp();
  const onLoopback = (name: string, isAdvertised: boolean): MemberRecord => {
    const plain = record(name, 'alive');
    return { ...plain, detail: { ...plain.detail!, address: '127.0.0.1', isAdvertised } };
  };
  membership.apply(0, onLoopback('b', false), teller);
  assert.equal(table.get('b')?.address.address, '10.0.0.3');
  membership.apply(0, onLoopback('d', true), teller);
  assert.equal(table.get('d')?.address.address, '127.0.0.1', 'advertised on purpose');
  const local: Source = { ...teller, from: { address: '127.0.0.1', port: 7946 } };
  membership.apply(0, onLoopback('e', false), local);
  assert.equal(table.get('e')?.address.address, '127.0.0.1');
});
