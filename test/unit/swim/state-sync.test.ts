import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Member } from '../../../src/swim/member-table.ts';
import type { MessageSender } from '../../../src/swim/message-sender.ts';
import { StateSync } from '../../../src/swim/state-sync.ts';

const MEMBER = {} as Member;
const PERIOD_MS = 1000;

/** Records the requests; the test sets the hash. */
class FakeSender {
  tableHash = 1n;
  readonly cursors: string[] = [];
  #sequence = 0;

  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  pull(_from: Member, _sequence: number, cursor: string): void {
    this.cursors.push(cursor);
  }

  get lastSequence(): number {
    return this.#sequence;
  }
}

function setUp(): { sender: FakeSender; stateSync: StateSync } {
  const sender = new FakeSender();
  return { sender, stateSync: new StateSync(sender as unknown as MessageSender, PERIOD_MS) };
}

test('a difference has half a quiet period to even out, and ten periods at most', () => {
  const { sender, stateSync } = setUp();
  stateSync.compare(1000, MEMBER, 2n, 900);
  assert.equal(sender.cursors.length, 0);
  stateSync.compare(1400, MEMBER, 2n, 900);
  assert.deepEqual(sender.cursors, ['']);
  const busy = setUp();
  const always = Number.POSITIVE_INFINITY;
  busy.stateSync.compare(0, MEMBER, 2n, always);
  busy.stateSync.compare(9999, MEMBER, 2n, always);
  assert.equal(busy.sender.cursors.length, 0);
  busy.stateSync.compare(10_000, MEMBER, 2n, always);
  assert.equal(busy.sender.cursors.length, 1);
});

test('page follows page; a lost one is requested up to three times', () => {
  const { sender, stateSync } = setUp();
  stateSync.start(0, MEMBER);
  stateSync.handlePage(10, sender.lastSequence, false, 'n5');
  stateSync.handlePage(20, sender.lastSequence - 1, false, 'n9');
  stateSync.advance(20 + PERIOD_MS / 4);
  assert.deepEqual(sender.cursors, ['', 'n5', 'n5']);
  for (let time = 500; stateSync.deadline < Number.POSITIVE_INFINITY; time += 250)
    stateSync.advance(time);
  assert.deepEqual(sender.cursors, ['', 'n5', 'n5', 'n5']);
});

test('a page that makes no progress ends the pull', () => {
  const { sender, stateSync } = setUp();
  stateSync.start(0, MEMBER);
  stateSync.handlePage(10, sender.lastSequence, false, 'n5');
  stateSync.handlePage(20, sender.lastSequence, false, 'n5');
  assert.equal(stateSync.deadline, Number.POSITIVE_INFINITY);
});

test('pulls without a gain become rare, and one with a gain makes them frequent again', () => {
  const { sender, stateSync } = setUp();
  let count = 0;
  const run = (from: number, seconds: number): number => {
    const before = sender.cursors.length;
    for (let time = from; time < from + seconds * 1000; time += 500) {
      stateSync.compare(time, MEMBER, 2n, 0);
      if (sender.cursors.length === count) continue;
      count = sender.cursors.length;
      stateSync.handlePage(time, sender.lastSequence, true, undefined);
    }
    return sender.cursors.length - before;
  };
  assert.ok(run(1000, 600) < 20);
  sender.tableHash = 2n;
  stateSync.compare(700_000, MEMBER, 2n, 0);
  sender.tableHash = 3n;
  assert.ok(run(701_000, 4) >= 3);
});
