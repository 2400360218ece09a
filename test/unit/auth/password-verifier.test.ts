import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyError, FairQueue } from '../../../src/auth/fair-queue.ts';
import { parsePasswordFile, setUser } from '../../../src/auth/password-file.ts';
import { hashPassword } from '../../../src/auth/password-hash.ts';
import { PasswordVerifier } from '../../../src/auth/password-verifier.ts';

/** Counts what is worked on. */
class CountingLine extends FairQueue {
  runs = 0;

  override run<T>(work: () => Promise<T>): Promise<T> {
    this.runs += 1;
    return super.run(work);
  }
}

function countingLine(): CountingLine {
  return new CountingLine({ parallelMax: 1, waitingMax: 1, waitMsMax: 1000 }, () => 0);
}

async function bookOf(line: FairQueue): Promise<PasswordVerifier> {
  const source = setUser('', 'ann', await hashPassword('right', 100));
  return new PasswordVerifier(parsePasswordFile('pw', source).users, line);
}

const bytes = (text: string): Buffer => Buffer.from(text);

test('the right password lets in, a wrong one, none, or an unknown name do not', async () => {
  const book = await bookOf(countingLine());
  assert.equal(await book.check('ann', bytes('right')), true);
  assert.equal(await book.check('ann', bytes('wrong')), false);
  assert.equal(await book.check('ann', bytes('')), false);
  assert.equal(await book.check('ann', undefined), false);
  assert.equal(await book.check('bob', bytes('right')), false);
});

test('an empty password is not the same as none', async () => {
  const source = setUser('', 'ann', await hashPassword('', 100));
  const book = new PasswordVerifier(parsePasswordFile('pw', source).users, countingLine());
  assert.equal(await book.check('ann', bytes('')), true);
  assert.equal(await book.check('ann', undefined), false);
});

test('an unknown name is worked on like a known one', async () => {
  const line = countingLine();
  const book = await bookOf(line);
  await book.check('bob', bytes('x'));
  await book.check('ann', undefined);
  await book.check('ann', bytes('x'));
  assert.equal(line.runs, 3);
});

test('a password that was right is known again, a wrong one is worked on each time', async () => {
  const line = countingLine();
  const book = await bookOf(line);
  await book.check('ann', bytes('right'));
  assert.equal(await book.check('ann', bytes('right')), true);
  assert.equal(line.runs, 1);
  assert.equal(await book.check('ann', bytes('right ')), false);
  assert.equal(line.runs, 2);
});

test('where too many wait the check is refused', async () => {
  const book = await bookOf(countingLine());
  const checks = ['a', 'b', 'c'].map((password) => book.check('ann', bytes(password)));
  const results = await Promise.allSettled(checks);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  assert.ok(results[2]?.status === 'rejected' && results[2].reason instanceof BusyError);
});

test('many logins at once with one password need one check', { timeout: 20_000 }, async () => {
  // 200 checks of this cost would take longer than the test may.
  const source = setUser('', 'ann', await hashPassword('right', 500_000));
  const line = new FairQueue({ parallelMax: 1, waitingMax: 200, waitMsMax: 60_000 }, () => 0);
  const book = new PasswordVerifier(parsePasswordFile('pw', source).users, line);
  const logins = Array.from({ length: 200 }, () => book.check('ann', bytes('right')));
  assert.ok((await Promise.all(logins)).every((isRight) => isRight));
});
