import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { hashPassword } from '../../../src/auth/password-hash.ts';
import { runAtOnce, runInSlices } from '../../../src/auth/time-slices.ts';
import { setUp } from '../../support/access.ts';

const LINES = 2000;
/** Steps that may run in one turn when each reading of the clock takes a millisecond. */
const STEPS_MAX = 64;

/** Each reading of the clock takes a millisecond. @returns the number of turns that were waited for */
function slowClock(t: TestContext): () => number {
  let now = 0;
  t.mock.method(performance, 'now', () => (now += 1));
  const turns = t.mock.method(globalThis, 'setImmediate');
  return () => turns.mock.callCount();
}

test('long work pauses for the event loop between short slices', async (t) => {
  const turns = slowClock(t);
  function* count(): Generator<void, string, void> {
    for (let step = 0; step < LINES; step++) yield;
    return 'done';
  }
  assert.equal(await runInSlices(count()), 'done');
  assert.ok(turns() >= LINES / STEPS_MAX, `${turns()} turns`);
  assert.equal(runAtOnce(count()), 'done');
});

test('an error in sliced work rejects the promise', async () => {
  // biome-ignore lint/correctness/useYield: fails in its first step
  function* fail(): Generator<void, void, void> {
    throw new Error('broken');
  }
  await assert.rejects(runInSlices(fail()), /broken/);
});

test('password and ACL files are reloaded in slices', async (t) => {
  const hash = await hashPassword('x', 1);
  const names = Array.from({ length: LINES }, (_, index) => `user${index}`);
  const { reload } = await setUp(t, {
    pw: names.map((name) => `${name}:${hash}\n`).join(''),
    acl: names.map((name) => `topic home/${name}\n`).join(''),
  });
  const turns = slowClock(t);
  await reload();
  assert.ok(turns() >= (2 * LINES) / STEPS_MAX, `${turns()} turns`);
});
