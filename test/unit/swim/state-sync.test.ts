import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Member } from '../../../src/swim/member-table.ts';
import type { MessageSender } from '../../../src/swim/message-sender.ts';
import { StateSync } from '../../../src/swim/state-sync.ts';

const MEMBER = {} as Member;
const PERIOD_MS = 1000;

/** Counts what is asked for; the hash is ours to change. */
class FakeOutbox {
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

function setUp(): { outbox: FakeOutbox; pull: StateSync } {
  const outbox = new FakeOutbox();
  return { outbox, pull: new StateSync(outbox as unknown as MessageSender, PERIOD_MS) };
}

test('a difference is given half a period to pass, unless it lasts ten', () => {
  const { outbox, pull } = setUp();
  pull.compare(1000, MEMBER, 2n, 900);
  assert.equal(outbox.cursors.length, 0);
  pull.compare(1400, MEMBER, 2n, 900);
  assert.deepEqual(outbox.cursors, ['']);
  const busy = setUp();
  const always = Number.POSITIVE_INFINITY;
  busy.pull.compare(0, MEMBER, 2n, always);
  busy.pull.compare(9999, MEMBER, 2n, always);
  assert.equal(busy.outbox.cursors.length, 0);
  busy.pull.compare(10_000, MEMBER, 2n, always);
  assert.equal(busy.outbox.cursors.length, 1);
});

test('page follows page, a lost one is asked for again, and after three times no more', () => {
  const { outbox, pull } = setUp();
  pull.start(0, MEMBER);
  pull.handlePage(10, outbox.lastSequence, false, 'n5');
  pull.handlePage(20, outbox.lastSequence - 1, false, 'n9');
  pull.advance(20 + PERIOD_MS / 4);
  assert.deepEqual(outbox.cursors, ['', 'n5', 'n5']);
  for (let time = 500; pull.deadline < Number.POSITIVE_INFINITY; time += 250) pull.advance(time);
  assert.deepEqual(outbox.cursors, ['', 'n5', 'n5', 'n5']);
});

test('a page that leads nowhere ends the pull', () => {
  const { outbox, pull } = setUp();
  pull.start(0, MEMBER);
  pull.handlePage(10, outbox.lastSequence, false, 'n5');
  pull.handlePage(20, outbox.lastSequence, false, 'n5');
  assert.equal(pull.deadline, Number.POSITIVE_INFINITY);
});

test('pulls that teach nothing become rare, and the first that does makes them frequent again', () => {
  const { outbox, pull } = setUp();
  let count = 0;
  const run = (from: number, seconds: number): number => {
    const before = outbox.cursors.length;
    for (let time = from; time < from + seconds * 1000; time += 500) {
      pull.compare(time, MEMBER, 2n, 0);
      if (outbox.cursors.length === count) continue;
      count = outbox.cursors.length;
      pull.handlePage(time, outbox.lastSequence, true, undefined);
    }
    return outbox.cursors.length - before;
  };
  assert.ok(run(1000, 600) < 20);
  outbox.tableHash = 2n;
  pull.compare(700_000, MEMBER, 2n, 0);
  outbox.tableHash = 3n;
  assert.ok(run(701_000, 4) >= 3);
});
