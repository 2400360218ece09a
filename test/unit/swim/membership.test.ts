// Which reports of other nodes a node believes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointOf, MemberTable } from '../../../src/swim/member-table.ts';
import { Membership, type Source } from '../../../src/swim/membership.ts';
import type { MemberRecord, MemberState } from '../../../src/swim/record.ts';
import { UpdateQueue } from '../../../src/swim/update-queue.ts';

const PERIOD_MS = 1000;
const source: Source = {
  kind: 'gossip',
  from: { address: '10.0.0.3', port: 7946 },
  reporter: 'c',
};

function setUp() {
  const table = new MemberTable(() => 0);
  const updates = new UpdateQueue('a');
  const events: string[] = [];
  const membership = new Membership(table, updates, PERIOD_MS, {
    nameClaimed: () => undefined,
    memberChanged: ({ kind, name }) => events.push(`${kind} ${name}`),
  });
  return { table, updates, events, membership };
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

test('a member that has just acked stays online when another node calls it offline', () => {
  const { table, events, membership } = setUp();
  membership.apply(0, record('b', 'alive'), source);
  const member = table.get('b');
  assert.ok(member !== undefined);
  membership.acked(5000, member);
  membership.apply(5500, record('b', 'offline'), source);
  assert.equal(member.state, 'suspect', 'it can refute');
  assert.equal(member.strikes, 1, 'and this node probes it from the next period on');
  assert.deepEqual(events, ['online b', 'suspect b']);
});

test('a member without an ack for two periods goes offline when another node calls it offline', () => {
  const { table, membership } = setUp();
  membership.apply(0, record('b', 'alive'), source);
  const member = table.get('b');
  assert.ok(member !== undefined);
  membership.acked(5000, member);
  membership.apply(7000, record('b', 'offline'), source);
  assert.equal(member.state, 'offline');
});

test('a node that lost all others keeps no updates for later, when they would be out of date', () => {
  const { table, updates, membership } = setUp();
  for (const name of ['b', 'c']) membership.apply(0, record(name, 'alive'), source);
  for (const name of ['b', 'c']) {
    const member = table.get(name);
    assert.ok(member !== undefined);
    for (let period = 1; period <= 3; period++) membership.strike(period * PERIOD_MS, member, 1);
    assert.equal(member.state, 'offline');
  }
  assert.equal(updates.size, 0);
});

test('a loopback address in a record from another machine means that machine', () => {
  const { table, membership } = setUp();
  const onLoopback = (name: string, isAdvertised: boolean): MemberRecord => {
    const plain = record(name, 'alive');
    return { ...plain, detail: { ...plain.detail!, address: '127.0.0.1', isAdvertised } };
  };
  membership.apply(0, onLoopback('b', false), source);
  assert.equal(table.get('b')?.address.address, '10.0.0.3');
  membership.apply(0, onLoopback('d', true), source);
  assert.equal(table.get('d')?.address.address, '127.0.0.1', 'advertised on purpose');
  const local: Source = { ...source, from: { address: '127.0.0.1', port: 7946 } };
  membership.apply(0, onLoopback('e', false), local);
  assert.equal(table.get('e')?.address.address, '127.0.0.1');
});

test('a member that moved while it was offline is where another node hears it', () => {
  const { table, membership } = setUp();
  membership.apply(0, record('b', 'alive'), source);
  const member = table.get('b');
  assert.ok(member !== undefined);
  membership.validated(10, member, 1, { address: '10.0.0.1', port: 7946 });
  const moved = { ...record('b', 'alive'), incarnation: 1 };
  const detail = { ...moved.detail!, address: '10.0.0.99' };
  membership.apply(20, { ...moved, detail }, source);
  assert.equal(
    endpointOf(member).address,
    '10.0.0.1',
    'a member that is heard is where it is heard',
  );
  membership.apply(5000, { ...moved, state: 'offline' }, source);
  membership.apply(6000, { ...moved, detail, incarnation: 2 }, source);
  assert.equal(endpointOf(member).address, '10.0.0.99');
});
