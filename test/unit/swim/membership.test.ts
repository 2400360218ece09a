// Which reports of other nodes a node believes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointOf, MEMBERS_MAX, MemberTable } from '../../../src/swim/member-table.ts';
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
  /** Where the events place each member. */
  const places = new Map<string, string>();
  const membership = new Membership(table, updates, PERIOD_MS, {
    nameClaimed: () => undefined,
    memberChanged: ({ kind, name, endpoint }) => {
      events.push(`${kind} ${name}`);
      places.set(name, endpoint.address);
    },
  });
  return { table, updates, events, places, membership };
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

test('the last event of an online member names its present address, whatever changed it', () => {
  const { table, events, places, membership } = setUp();
  const at = (address: string) => ({ address, port: 7946 });
  membership.apply(0, record('b', 'alive'), source);
  assert.equal(places.get('b'), '10.0.0.1');
  const member = table.get('b');
  assert.ok(member !== undefined);
  const { version } = membership;

  const moved = { ...record('b', 'alive'), incarnation: 1 };
  const detail = { ...moved.detail!, address: '10.0.0.50' };
  membership.apply(10, { ...moved, detail }, source);
  assert.equal(places.get('b'), '10.0.0.50', 'a record of a higher incarnation');
  membership.validated(20, member, 1, at('10.0.0.60'));
  assert.equal(places.get('b'), '10.0.0.60', 'an echo of our nonce');
  membership.heardFrom(30, member, at('10.0.0.70'));
  assert.equal(places.get('b'), '10.0.0.70', 'a datagram from a validated address');
  const advertised = { ...detail, address: '10.0.0.80', isAdvertised: true };
  membership.apply(40, { ...moved, detail: advertised, incarnation: 2 }, source);
  assert.equal(places.get('b'), '10.0.0.80', 'an advertised address');
  assert.deepEqual(events, ['online b', 'updated b', 'updated b', 'updated b', 'updated b']);
  assert.ok(membership.version > version, 'the sync channel follows');

  membership.heardFrom(50, member, at('10.0.0.70'));
  membership.validated(60, member, 2, at('10.0.0.70'));
  assert.equal(events.length, 5, 'datagrams still go to the advertised address');
});

test('an online member that a full table evicts is reported as offline', () => {
  const { table, events, membership } = setUp();
  const unproven = record('b', 'alive');
  for (let index = 0; index < MEMBERS_MAX; index++) {
    membership.apply(0, { ...unproven, name: `n${index}`, bootId: BigInt(index) }, source);
  }
  events.length = 0;
  const proven = { ...unproven, name: 'new', bootId: BigInt(MEMBERS_MAX) };
  membership.apply(1, proven, { ...source, kind: 'direct' });
  assert.deepEqual(events, ['offline n0', 'online new']);
  assert.equal(table.size, MEMBERS_MAX);
});
