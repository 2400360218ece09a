import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterClock } from '../../../src/replica/cluster-clock.ts';
import { type BlockMessage, decodeReplicaMessage } from '../../../src/replica/codec.ts';
import {
  decodeCounts,
  encodeCounts,
  groupKey,
  type MemberCounts,
  parseRegisterKey,
  registerKey,
} from '../../../src/replica/group-register.ts';
import { GroupTable, TURN_GROUPS_MAX } from '../../../src/replica/group-table.ts';

const OWN = 1n;
const OTHER = 2n;
const NONE: MemberCounts = { online: 0, absent: 0, onlineInPart: 0, absentInPart: 0 };
const ONE_MEMBER = { size: 1, count: () => ({ ...NONE, online: 1 }), hasOnline: () => true };
const NUMBERS = Array.from({ length: 400 }, (_, number) => number + 1);

interface Bench {
  readonly table: GroupTable;
  readonly sent: Buffer[];
  readonly refused: string[];
}

function newTable(bytesMax = 1100): Bench {
  const sent: Buffer[] = [];
  const refused: string[] = [];
  const table = new GroupTable({
    bootId: OWN,
    clock: new ClusterClock(0, 1000),
    now: 0,
    messageBytesMax: bytesMax,
    send: (_to, bytes) => sent.push(bytes),
    flushDue: () => undefined,
    refused: (group) => refused.push(group.replace('\0', ' ')),
  });
  table.setMembers([OTHER], 0);
  sent.length = 0;
  return { table, sent, refused };
}

/** A register of another node, as it would arrive. */
function registerOf(key: string, value: Buffer | undefined, sequence: number): BlockMessage {
  const range = { writer: OTHER, from: sequence, to: sequence };
  return {
    requestId: 0,
    isLast: true,
    range,
    registers: [{ key, time: 2000 + sequence, sequence, value }],
  };
}

const KEY = registerKey(OTHER, groupKey('g', 't'));

test('keys and values of registers survive their encoding, and malformed ones are undefined', () => {
  const bootId = 0x00aabbccddeeff11n;
  const group = groupKey('workers', 'a/+/#');
  assert.deepEqual(parseRegisterKey(registerKey(bootId, group)), { bootId, group });
  assert.equal(registerKey(bootId, group), '00aabbccddeeff11workers\0a/+/#');
  const counts = { ...NONE, online: 3, absent: 0xffffffff };
  assert.equal(encodeCounts(counts).toString('hex'), '00000003ffffffff');
  assert.deepEqual(decodeCounts(encodeCounts(counts)), counts);
  const inPart = { online: 1, absent: 2, onlineInPart: 3, absentInPart: 4 };
  assert.equal(encodeCounts(inPart).toString('hex'), '00000001000000020000000300000004');
  assert.deepEqual(decodeCounts(encodeCounts(inPart)), inPart);
  for (const key of ['', 'x', '00aabbccddeeff11workers', `${'z'.repeat(16)}g\0t`]) {
    assert.equal(parseRegisterKey(key), undefined);
  }
  assert.equal(decodeCounts(Buffer.alloc(7)), undefined);
});

test('a node serves a group by itself while it knows no other with members', () => {
  const { table } = newTable();
  const share = table.open('g', 't', ONE_MEMBER);
  assert.ok(NUMBERS.every((number) => share.isServedHere(9, number)));
  share.changed();
  table.flush(0);
  assert.ok(NUMBERS.every((number) => share.isServedHere(9, number)));
  assert.equal(table.leftToOthers, 0);
});

test('a node leaves to another node what that one is chosen for, as long as it is online', () => {
  const { table } = newTable();
  const share = table.open('g', 't', ONE_MEMBER);
  share.changed();
  table.flush(0);
  table.handleBlock(OTHER, registerOf(KEY, encodeCounts({ ...NONE, online: 1 }), 1), 0);
  const here = NUMBERS.filter((number) => share.isServedHere(9, number)).length;
  assert.ok(here > 120 && here < 280, String(here));
  assert.equal(table.leftToOthers, NUMBERS.length - here);
  table.setMembers([], 0);
  assert.ok(NUMBERS.every((number) => share.isServedHere(9, number)));
});

test('members that may receive only a part count where no node has others, connected or not', () => {
  const { table } = newTable();
  let own: MemberCounts = { ...NONE, onlineInPart: 5 };
  const share = table.open('g', 't', { size: 5, count: () => own, hasOnline: () => true });
  const servedHere = (): number => NUMBERS.filter((number) => share.isServedHere(9, number)).length;
  const write = (counts: MemberCounts): void => {
    own = counts;
    share.changed();
    table.flush(0);
  };
  write(own);
  table.handleBlock(OTHER, registerOf(KEY, encodeCounts({ ...NONE, absent: 1 }), 1), 0);
  assert.equal(servedHere(), 0);
  table.handleBlock(OTHER, registerOf(KEY, encodeCounts({ ...NONE, onlineInPart: 5 }), 2), 0);
  assert.ok(servedHere() > 120 && servedHere() < 280, String(servedHere()));
  table.handleBlock(OTHER, registerOf(KEY, encodeCounts({ ...NONE, absentInPart: 5 }), 3), 0);
  assert.equal(servedHere(), NUMBERS.length);
  write({ ...NONE, online: 1 });
  table.handleBlock(OTHER, registerOf(KEY, encodeCounts({ ...NONE, onlineInPart: 500 }), 4), 0);
  assert.equal(servedHere(), NUMBERS.length);
});

test('a register that another node writes in the name of a third one does not count', () => {
  const { table } = newTable();
  const share = table.open('g', 't', ONE_MEMBER);
  share.changed();
  table.flush(0);
  const foreign = registerKey(3n, groupKey('g', 't'));
  table.setMembers([OTHER, 3n], 0);
  table.handleBlock(OTHER, registerOf(foreign, encodeCounts({ ...NONE, online: 9 }), 1), 0);
  assert.ok(NUMBERS.every((number) => share.isServedHere(9, number)));
});

test('a node whose register was cleared by another one writes it again', () => {
  const { table, sent } = newTable();
  const share = table.open('g', 't', ONE_MEMBER);
  share.changed();
  table.flush(0);
  sent.length = 0;
  table.handleBlock(OTHER, registerOf(registerKey(OWN, groupKey('g', 't')), undefined, 1), 0);
  table.flush(0);
  assert.equal(sent.length, 1);
});

test('changes of one turn are one write, and a group is not written more than a few times a second', () => {
  const { table, sent } = newTable();
  let online = 5;
  const share = table.open('g', 't', {
    size: 1_000_000,
    count: () => ({ ...NONE, online }),
    hasOnline: () => online > 0,
  });
  let now = 0;
  for (; now < 10_000; now++) {
    online += 1;
    share.changed();
    share.changed();
    table.flush(now);
  }
  assert.ok(sent.length > 40 && sent.length < 60, `${sent.length} in 10 s`);
  while (table.flush(now) !== Number.POSITIVE_INFINITY) now += 10;
  const last = decodeReplicaMessage(sent.at(-1)!);
  assert.ok(last?.kind === 'block');
  assert.equal(decodeCounts(last.registers[0]!.value!)?.online, online);
});

test('the first member and the last one are written at once even while others come and go', () => {
  const { table, sent } = newTable();
  let online = 5;
  const share = table.open('g', 't', {
    size: 10,
    count: () => ({ ...NONE, online }),
    hasOnline: () => online > 0,
  });
  for (let change = 0; change < 10; change++) {
    online += 1;
    share.changed();
    table.flush(0);
  }
  sent.length = 0;
  online = 0;
  share.changed();
  table.flush(0);
  assert.equal(sent.length, 1);
  online = 1;
  share.changed();
  table.flush(0);
  assert.equal(sent.length, 2);
});

test('a group whose filter does not fit into a message is refused, and each node serves it', () => {
  const { table, refused } = newTable(200);
  const filter = 'x'.repeat(300);
  const share = table.open('g', filter, ONE_MEMBER);
  share.changed();
  table.flush(0);
  assert.deepEqual(refused, [`g ${filter}`]);
  assert.ok(NUMBERS.every((number) => share.isServedHere(9, number)));
});

test('groups without members are forgotten', () => {
  const { table } = newTable();
  let size = 1;
  const members = {
    get size() {
      return size;
    },
    count: () => ({ ...NONE, online: size }),
    hasOnline: () => size > 0,
  };
  const share = table.open('g', 't', members);
  share.changed();
  table.flush(0);
  assert.deepEqual(table.count(), { groups: 1, members: 1 });
  size = 0;
  share.changed();
  table.flush(0);
  table.tidy(10_000);
  assert.deepEqual(table.count(), { groups: 0, members: 0 });
  assert.notEqual(table.open('g', 't', members), share);
});

test('very many groups that change at once are written in turns', () => {
  const { table, sent } = newTable();
  const groups = 3 * TURN_GROUPS_MAX;
  for (let n = 0; n < groups; n++) table.open(`g${n}`, 't', ONE_MEMBER).changed();
  const written = (): number => [...table.replica.map.registers()].length;
  const next = table.flush(0);
  assert.equal(written(), TURN_GROUPS_MAX);
  assert.equal(table.flush(next - 1), next);
  assert.equal(written(), TURN_GROUPS_MAX);
  for (let now = next; now !== Number.POSITIVE_INFINITY; ) now = table.flush(now);
  assert.equal(written(), groups);
  assert.ok(sent.length < groups / 10, `${sent.length} datagrams`);
});
