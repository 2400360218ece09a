import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agreement } from '../../../src/replica/agreement.ts';
import type { DigestEntry } from '../../../src/replica/register-map.ts';

/** A digest of two writers of which everything up to these numbers is known. */
function upTo(first: number, second: number): DigestEntry[] {
  return [
    { writer: 1n, known: [{ from: 1, to: first }] },
    { writer: 2n, known: [{ from: 1, to: second }] },
  ];
}

test('two nodes that both write all the time agree up to a moment ago', () => {
  const agreement = new Agreement(0);
  for (let second = 1; second <= 100; second++) {
    // Each lacks the newest writes of the other, and has all that were known a second ago.
    const ours = upTo(100 * second, 100 * second - 3);
    const theirs = upTo(100 * second - 3, 100 * second);
    agreement.compare(ours, theirs, 1000 * second);
  }
  assert.equal(agreement.agreedAt, 99_000);
});

test('a write that does not arrive ends the agreement, however many come after it', () => {
  const agreement = new Agreement(0);
  for (let second = 1; second <= 100; second++) {
    const behindTheGap = [
      { from: 1, to: 500 },
      { from: 502, to: 502 + 100 * second },
    ];
    const theirs = [{ writer: 1n, known: behindTheGap }];
    const ours = [{ writer: 1n, known: [{ from: 1, to: 600 + 100 * second }] }];
    agreement.compare(ours, theirs, 1000 * second);
  }
  assert.equal(agreement.agreedAt, 0);
});

test('two nodes that lack nothing and are not equal do not agree', () => {
  const agreement = new Agreement(0);
  for (let second = 1; second <= 100; second++) {
    agreement.compare(upTo(7, 7), upTo(7, 7), 1000 * second);
  }
  assert.equal(agreement.agreedAt, 0);
  agreement.equal(101_000);
  assert.equal(agreement.agreedAt, 101_000);
});

test('a writer whose values were all replaced is not waited for', () => {
  const agreement = new Agreement(0);
  agreement.compare(upTo(7, 7), upTo(7, 6), 1000);
  const [, second] = upTo(7, 8);
  assert.ok(second !== undefined);
  agreement.compare([second], [second], 2000);
  assert.equal(agreement.agreedAt, 1000);
});
