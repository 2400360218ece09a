// What recordings and a node that lies can do to the membership core: little, and only while they last.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEMBERS_MAX } from '../../../src/swim/member-table.ts';
import type { MemberRecord } from '../../../src/swim/record.ts';
import { isNewerIncarnation, nextIncarnation } from '../../../src/swim/record.ts';
import { body, core, introduce, recordOf, STRANGER } from '../../support/swim-core.ts';

const ELSEWHERE = { address: '10.9.9.9', port: 1024 };
const COUNTER_MAX = 2 ** 53 - 1;
const MAX = 0xffffffff;

/** A node that knows `stranger` (boot 2) and `liar` (boot 3). */
function acquainted(): ReturnType<typeof core> {
  const one = core();
  introduce(one.swim, one.take, 'stranger', 2n);
  introduce(one.swim, one.take, 'liar', 3n);
  one.take();
  return one;
}

test('a recorded proof of an earlier process is answered at most once, and never at greater length', () => {
  const { swim, take } = core();
  const proof = introduce(swim, take, 'stranger', 2n);
  take();
  introduce(swim, take, 'witness', 3n);
  const restarted = body('gossip', (to) => to.record(recordOf('stranger', 9n, 1)));
  swim.handle(1, STRANGER, 3n, 3, restarted);
  assert.equal(swim.table.get('stranger')?.bootId, 9n);
  take();
  for (let i = 0; i < 100; i++) swim.handle(2, ELSEWHERE, 2n, 2, proof);
  const answers = take();
  assert.ok(answers.length <= 1, `${answers.length} answers`);
  for (const answer of answers) assert.ok(answer.body.length <= proof.length);
});

test('each recorded datagram is challenged once, and a boot eight times a second', () => {
  const { swim, take } = core();
  const ping = body('ping', (to) => to.nonce(7n));
  for (let i = 0; i < 100; i++) swim.handle(0, ELSEWHERE, 2n, 1, ping);
  assert.equal(take().length, 1);
  assert.ok(swim.dropsReplay(0, ELSEWHERE, 2n, 1), 'found before its proof is checked');
  for (let counter = 2; counter < 100; counter++) swim.handle(0, ELSEWHERE, 2n, counter, ping);
  assert.equal(take().length, 7);
  swim.handle(1000, ELSEWHERE, 2n, 100, ping);
  assert.equal(take().length, 1);
});

test('a source address is challenged 256 times a second, whatever boots it claims', () => {
  const { swim, take } = core();
  const ping = body('ping', (to) => to.nonce(7n));
  for (let boot = 10n; boot < 1010n; boot++) swim.handle(0, ELSEWHERE, boot, 1, ping);
  assert.equal(take().length, 256);
  swim.handle(0, STRANGER, 5n, 1, ping);
  assert.equal(take().length, 1);
});

test('a copy from another address is challenged once, and the original still counts', () => {
  const { swim, take } = acquainted();
  const ping = body('ping', (to) => to.nonce(7n));
  for (let i = 0; i < 50; i++) swim.handle(1, ELSEWHERE, 2n, 3, ping);
  assert.deepEqual(
    take().map(({ message }) => message.kind),
    ['challenge'],
  );
  assert.ok(swim.dropsReplay(2, ELSEWHERE, 2n, 3));
  assert.ok(!swim.dropsReplay(2, STRANGER, 2n, 3));
  swim.handle(2, STRANGER, 2n, 3, ping);
  assert.equal(take()[0]?.message.kind, 'ack');
});

test('a node refutes the largest incarnation, which has a successor (RFC 1982)', () => {
  assert.ok(isNewerIncarnation(nextIncarnation(MAX), MAX));
  const { swim, take } = acquainted();
  for (const incarnation of [0x7fffffff, 0xfffffffe, 0x7ffffffd]) {
    const left: MemberRecord = { ...recordOf('home', 1n, incarnation), state: 'left' };
    const counter = swim.self.incarnation + 3;
    swim.handle(
      1,
      STRANGER,
      3n,
      counter,
      body('gossip', (to) => to.record(left)),
    );
    assert.ok(isNewerIncarnation(swim.self.incarnation, incarnation), `${incarnation}`);
    take();
  }
});

test('a member that a liar called gone is back with its next own word, restarts included', () => {
  const { swim, take } = acquainted();
  const gone: MemberRecord = { ...recordOf('stranger', 2n, 0x7fffffff), state: 'left' };
  const lie = body('gossip', (to) => to.record(gone));
  swim.handle(1, STRANGER, 3n, 3, lie);
  assert.equal(swim.table.get('stranger')?.state, 'left');
  const higher: MemberRecord = { ...gone, incarnation: MAX };
  swim.handle(
    1,
    STRANGER,
    3n,
    4,
    body('gossip', (to) => to.record(higher)),
  );
  // The restarted process begins at 0, or refutes what the ack accuses it of.
  introduce(swim, take, 'stranger', 4n);
  const accusation = take().find(({ message }) => message.kind === 'ack')?.message.records[0];
  const next = accusation === undefined ? 0 : nextIncarnation(accusation.incarnation);
  const alive = recordOf('stranger', 4n, next);
  const nonce = swim.table.byBoot(4n) === undefined ? challengeOf(4n) : undefined;
  const proof = body('ping', (to) => {
    if (nonce !== undefined) to.echo(nonce);
    to.record(alive);
  });
  swim.handle(2, STRANGER, 4n, 20, proof);
  assert.equal(swim.table.get('stranger')?.bootId, 4n);
  assert.equal(swim.table.get('stranger')?.state, 'alive');

  function challengeOf(bootId: bigint): bigint {
    swim.handle(
      1,
      STRANGER,
      bootId,
      19,
      body('ping', (to) => to.nonce(7n)),
    );
    return take().find(({ message }) => message.kind === 'challenge')!.message.tableHash;
  }
});

test('a counter far ahead in a member’s name silences it for a few seconds only', () => {
  const { swim, take } = acquainted();
  const ping = body('ping', (to) => to.nonce(7n));
  swim.handle(10, STRANGER, 2n, COUNTER_MAX, body('gossip'));
  swim.handle(20, STRANGER, 2n, 3, ping);
  assert.deepEqual(take(), [], 'the member was heard a moment ago');
  swim.handle(2000, STRANGER, 2n, 4, ping);
  const [challenge] = take();
  assert.equal(challenge?.message.kind, 'challenge');
  const answer = body('ping', (to) => to.echo(challenge!.message.tableHash));
  swim.handle(2001, STRANGER, 2n, 5, answer);
  assert.equal(take()[0]?.message.kind, 'ack');
  // What was sent before the answer stays refused.
  swim.handle(2002, STRANGER, 2n, 4, ping);
  assert.deepEqual(take(), []);
  swim.handle(2003, STRANGER, 2n, 6, ping);
  assert.equal(take()[0]?.message.kind, 'ack');
});

test('two nodes that hold wrong counters of each other still find together', () => {
  const { swim, take } = acquainted();
  swim.handle(10, STRANGER, 2n, COUNTER_MAX, body('gossip'));
  const challenge = body('challenge', (to) => to.echo(1n), { tableHash: 77n });
  swim.handle(2000, ELSEWHERE, 2n, 3, challenge);
  const [answer] = take();
  assert.deepEqual([answer?.to, answer?.message.echo], [STRANGER, 77n]);
});

test('a member that has not validated this process ends its wrong counters with an ack', () => {
  const { swim, take } = acquainted();
  swim.handle(10, STRANGER, 2n, COUNTER_MAX, body('gossip'));
  const challenge = body('challenge', (to) => to.echo(1n), { tableHash: 77n });
  swim.handle(2000, STRANGER, 2n, 3, challenge);
  const nonce = take()[0]!.message.nonce!;
  swim.handle(
    2001,
    STRANGER,
    2n,
    4,
    body('ack', (to) => to.echo(nonce)),
  );
  swim.handle(2002, STRANGER, 2n, 5, body('ping'));
  assert.equal(take()[0]?.message.kind, 'ack');
});

test('a full table of invented names gives way to a node that proves itself', () => {
  const { swim, take } = acquainted();
  let counter = 3;
  for (let name = 0; swim.table.size < MEMBERS_MAX; name += 10) {
    const lies = body('gossip', (to) => {
      for (let i = name; i < name + 10; i++) to.record(recordOf(`ghost${i}`, BigInt(1000 + i)));
    });
    swim.handle(1, STRANGER, 3n, counter++, lies);
  }
  take();
  introduce(swim, take, 'honest', 8n);
  assert.equal(swim.table.get('honest')?.bootId, 8n);
  assert.equal(swim.table.get('stranger')?.bootId, 2n);
  assert.equal(swim.table.size, MEMBERS_MAX);
});
