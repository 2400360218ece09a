// What a refusal costs: the same computations whether the name, the id or the first bytes are right, so that the time of an
// answer says nothing. Counted, not timed; test/attack/timing.ts measures the times.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';

const COUNTED = [
  'pbkdf2',
  'scrypt',
  'createHmac',
  'createHash',
  'hash',
  'timingSafeEqual',
] as const;
const counts = new Map<string, number>();
for (const name of COUNTED) {
  const own = crypto[name] as (...args: unknown[]) => unknown;
  Object.assign(crypto, {
    [name]: (...args: unknown[]) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return own(...args);
    },
  });
}
syncBuiltinESMExports();

// After that: these modules take what they use when they are loaded.
const { FairQueue } = await import('../../../src/auth/fair-queue.ts');
const { hashPassword } = await import('../../../src/auth/password-hash.ts');
const { PasswordVerifier } = await import('../../../src/auth/password-verifier.ts');
const { TokenStore } = await import('../../../src/http/token-store.ts');
const { Hmac } = await import('../../../src/shared/hmac.ts');

/** @returns how often each function was called */
async function workOf(run: () => unknown): Promise<Record<string, number>> {
  counts.clear();
  await run();
  return Object.fromEntries(counts);
}

test('a wrong password, an empty one and a missing one cost the same, whether the user exists or not', async () => {
  const users = new Map([
    ['ann', await hashPassword('right', 1000)],
    ['bob', await hashPassword('other', 1000)],
  ]);
  const limits = { parallelMax: 3, waitingMax: 10, waitMsMax: 1000 };
  const verifier = new PasswordVerifier(users, new FairQueue(limits, () => 0));
  const wrong = Buffer.from('wrong');
  const expected = await workOf(() => verifier.check('ann', wrong));
  assert.equal(expected.pbkdf2, 1);
  assert.equal(expected.timingSafeEqual, 1);
  for (const [user, password] of [
    ['nobody', wrong],
    ['bob', wrong],
    ['ann', Buffer.alloc(0)],
    ['nobody', Buffer.alloc(0)],
    ['nobody', undefined],
    ['', wrong],
  ] as const) {
    const work = await workOf(() => verifier.check(user, password));
    assert.deepEqual(work, expected, `${user} ${password}`);
  }
});

test('a wrong token costs one scrypt, whether its id exists or not, before and after the right one was used', async () => {
  const store = await TokenStore.open(undefined);
  const token = await store.issue();
  const [id = ''] = token.split('.');
  const guesses = [`${id}.wrong`, 'AAAAAAAA.wrong', `${id.slice(0, 4)}AAAA.wrong`, '.wrong'];
  let expected: Record<string, number> | undefined;
  for (const isUsed of [false, true]) {
    if (isUsed) assert.equal(await store.verify(token), 'valid');
    for (const guess of guesses) {
      const work = await workOf(async () => assert.equal(await store.verify(guess), 'wrong'));
      expected ??= work;
      assert.equal(work.scrypt, 1);
      assert.deepEqual(work, expected, `${guess}, ${isUsed ? 'after' : 'before'}`);
    }
  }
});

test('a MAC is compared in constant time, and costs the same wherever it is wrong', async () => {
  const hmac = new Hmac(Buffer.alloc(32, 1));
  const message = Buffer.alloc(116);
  hmac.sign(message, 100, 16);
  assert.ok(hmac.verify(message, 100));
  let expected: Record<string, number> | undefined;
  for (const at of [100, 107, 115]) {
    const wrong = Buffer.from(message);
    wrong[at]! ^= 1;
    const work = await workOf(() => assert.ok(!hmac.verify(wrong, 100)));
    expected ??= work;
    assert.deepEqual(work, { hash: 2, timingSafeEqual: 1 });
    assert.deepEqual(work, expected);
  }
});
