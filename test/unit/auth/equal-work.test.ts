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
  'createDecipheriv',
  'hkdfSync',
] as const;
const counts = new Map<string, number>();
for (const name of COUNTED) {
  const own = crypto[name] as (...args: unknown[]) => unknown;
  Object.assign(crypto, {
    [name]: (...args: unknown[]) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      if (name === 'pbkdf2') counts.set('iterations', Number(args[2]));
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
const { ENVELOPE_HEADER_BYTES, Opener, Sealer } = await import('../../../src/shared/envelope.ts');
const { deriveKeyRing } = await import('../../../src/shared/key-ring.ts');
const { openBeacon, sealBeacon } = await import('../../../src/net/cluster/beacon-seal.ts');
const { BEACON_BODY_BYTES } = await import('../../../src/discovery/beacon-codec.ts');
const { victimOf } = await import('../../support/hostile-peer.ts');

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
  assert.equal(expected.iterations, 1000, 'as the hashes of the file, whatever new ones have');
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

/** The datagram with one wrong bit at each of these places. */
function* damaged(datagram: Buffer, places: readonly number[]): Generator<Buffer> {
  for (const at of places) {
    const wrong = Buffer.from(datagram);
    wrong[at]! ^= 1;
    yield wrong;
  }
}

for (const isEncrypted of [false, true]) {
  test(`a datagram with a wrong proof costs the same whatever is in it (${isEncrypted ? 'encrypted' : 'signed'})`, async () => {
    const { gossip: keys } = await deriveKeyRing(['token'], 'shoal');
    const opener = new Opener(keys, isEncrypted);
    const sealer = new Sealer(keys, 2n, isEncrypted);
    const expected = isEncrypted ? { createDecipheriv: 1 } : { hash: 2, timingSafeEqual: 1 };
    for (const name of ['box1', 'box1', 'a-name-that-no-node-has']) {
      const buffer = Buffer.alloc(ENVELOPE_HEADER_BYTES + name.length + 16);
      buffer.write(name, ENVELOPE_HEADER_BYTES);
      const datagram = Buffer.from(sealer.seal(buffer, ENVELOPE_HEADER_BYTES + name.length));
      assert.ok(typeof opener.open(datagram) === 'object');
      const { length } = datagram;
      const places = [ENVELOPE_HEADER_BYTES, ENVELOPE_HEADER_BYTES + 3, length - 16, length - 1];
      for (const wrong of damaged(datagram, places)) {
        const work = await workOf(() => assert.equal(opener.open(wrong), 'badMac'));
        assert.deepEqual(work, expected, name);
      }
    }
  });
}

test('on the sync port a wrong proof costs one check, and a sender that is no peer none', async () => {
  const { sync: keys } = await deriveKeyRing(['token'], 'shoal');
  const { node, peer } = victimOf(keys);
  const datagram = peer.data(Buffer.from([0x30, 5, 0, 1, 97, 0, 120]));
  const { length } = datagram;
  for (const wrong of damaged(datagram, [ENVELOPE_HEADER_BYTES, 40, length - 16, length - 1])) {
    const work = await workOf(() => node.receive(wrong, 1));
    assert.deepEqual(work, { hash: 2, timingSafeEqual: 1 });
  }
  // The boot id, which every datagram shows in the clear.
  for (const wrong of damaged(datagram, [8, 15])) {
    assert.deepEqual(await workOf(() => node.receive(wrong, 1)), {});
  }
});

test('a beacon of a stranger costs one decryption for each token, wherever it is wrong', async () => {
  const { beacon: keys } = await deriveKeyRing(['token', 'older token'], 'shoal');
  const datagram = sealBeacon(keys, Buffer.alloc(BEACON_BODY_BYTES, 7));
  for (const wrong of damaged(datagram, [4, 15, 16, 40, 64, 79])) {
    const work = await workOf(() => assert.equal(openBeacon(keys, wrong), 'unknownKey'));
    assert.deepEqual(work, { createDecipheriv: 2 });
  }
});
