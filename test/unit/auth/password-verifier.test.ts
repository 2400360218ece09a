import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyError, FairQueue } from '../../../src/auth/fair-queue.ts';
import { parsePasswordFile, setUser } from '../../../src/auth/password-file.ts';
import { hashPassword } from '../../../src/auth/password-hash.ts';
import { PasswordVerifier } from '../../../src/auth/password-verifier.ts';

/** A queue that counts its work. */
class CountingLine extends FairQueue {
  runs = 0;

  override run<T>(work: () => Promise<T>): Promise<T> {
    this.runs += 1;
    return super.run(work);
  }
}

function countingQueue(): CountingLine {
  return new CountingLine({ parallelMax: 1, waitingMax: 1, waitMsMax: 1000 }, () => 0);
}

async function verifierOf(queue: FairQueue): Promise<PasswordVerifier> {
  const source = setUser('', 'ann', await hashPassword('right', 100));
  return new PasswordVerifier(parsePasswordFile('pw', source).users, queue);
}

const bytes = (text: string): Buffer => Buffer.from(text);

test('only the right password of a known user is accepted', async () => {
  const verifier = await verifierOf(countingQueue());
  assert.equal(await verifier.check('ann', bytes('right')), true);
  assert.equal(await verifier.check('ann', bytes('wrong')), false);
  assert.equal(await verifier.check('ann', bytes('')), false);
  assert.equal(await verifier.check('ann', undefined), false);
  assert.equal(await verifier.check('bob', bytes('right')), false);
});

test('an empty password is never right, not even if the file has its hash', async () => {
  const source = setUser('', 'ann', await hashPassword('', 100));
  const verifier = new PasswordVerifier(parsePasswordFile('pw', source).users, countingQueue());
  assert.equal(await verifier.check('ann', bytes('')), false);
  assert.equal(await verifier.check('ann', undefined), false);
});

test('an unknown name takes as much work as a known one', async () => {
  const queue = countingQueue();
  const verifier = await verifierOf(queue);
  await verifier.check('bob', bytes('x'));
  await verifier.check('ann', undefined);
  await verifier.check('ann', bytes('x'));
  assert.equal(queue.runs, 3);
});

test('a verified password needs no further work, a wrong one needs work each time', async () => {
  const queue = countingQueue();
  const verifier = await verifierOf(queue);
  await verifier.check('ann', bytes('right'));
  assert.equal(await verifier.check('ann', bytes('right')), true);
  assert.equal(queue.runs, 1);
  assert.equal(await verifier.check('ann', bytes('right ')), false);
  assert.equal(queue.runs, 2);
});

test('a check is refused if too many are waiting', async () => {
  const verifier = await verifierOf(countingQueue());
  const checks = ['a', 'b', 'c'].map((password) => verifier.check('ann', bytes(password)));
  const results = await Promise.allSettled(checks);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  assert.ok(results[2]?.status === 'rejected' && results[2].reason instanceof BusyError);
});

test('many simultaneous logins with one password need one check', { timeout: 60_000 }, async () => {
  // 200 checks of this cost would exceed the time of the test.
  const source = setUser('', 'ann', await hashPassword('right', 500_000));
  const queue = new FairQueue({ parallelMax: 1, waitingMax: 200, waitMsMax: 60_000 }, () => 0);
  const verifier = new PasswordVerifier(parsePasswordFile('pw', source).users, queue);
  const logins = Array.from({ length: 200 }, () => verifier.check('ann', bytes('right')));
  assert.ok((await Promise.all(logins)).every((isRight) => isRight));
});
