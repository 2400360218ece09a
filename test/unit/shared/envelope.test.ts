import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  isProbe,
  Opener,
  Sealer,
} from '../../../src/shared/envelope.ts';
import { type ChannelKeys, deriveKeyRing } from '../../../src/shared/key-ring.ts';

const ring = await deriveKeyRing(['token'], 'shoal');
const rotated = await deriveKeyRing(['new', 'token'], 'shoal');
const BODY = Buffer.from('body of any kind');

function seal(sealer: Sealer, body = BODY): Buffer {
  const buffer = Buffer.alloc(ENVELOPE_BYTES + body.length);
  body.copy(buffer, ENVELOPE_HEADER_BYTES);
  return sealer.seal(buffer, ENVELOPE_HEADER_BYTES + body.length);
}

function sealed(keys: ChannelKeys = ring.sync, encrypt = false): Buffer {
  return seal(new Sealer(keys, 0x1122334455667788n, encrypt));
}

for (const encrypt of [false, true]) {
  const mode = encrypt ? 'encrypted' : 'signed';

  test(`${mode}: a sealed body is opened with its sender and counter`, () => {
    const sealer = new Sealer(ring.sync, 0xfedcba9876543210n, encrypt);
    const opener = new Opener(ring.sync, encrypt);
    for (let counter = 1; counter <= 3; counter++) {
      const opened = opener.open(seal(sealer));
      assert.ok(typeof opened === 'object');
      assert.deepEqual(
        { ...opened, body: opened.body.toString() },
        { bootId: 0xfedcba9876543210n, counter, body: BODY.toString() },
      );
      assert.equal(sealer.counter, counter);
    }
  });

  test(`${mode}: an empty body is valid`, () => {
    const opened = new Opener(ring.sync, encrypt).open(
      seal(new Sealer(ring.sync, 1n, encrypt), Buffer.alloc(0)),
    );
    assert.ok(typeof opened === 'object' && opened.body.length === 0);
  });

  test(`${mode}: a change of any bit in header, body or MAC is detected`, () => {
    const datagram = sealed(ring.sync, encrypt);
    const opener = new Opener(ring.sync, encrypt);
    for (let bit = 0; bit < datagram.length * 8; bit++) {
      const copy = Buffer.from(datagram);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(typeof opener.open(copy), 'string', `bit ${bit}`);
    }
  });

  test(`${mode}: a truncated or extended datagram is detected`, () => {
    const datagram = sealed(ring.sync, encrypt);
    const opener = new Opener(ring.sync, encrypt);
    for (let bytes = 0; bytes < datagram.length; bytes++) {
      assert.equal(typeof opener.open(datagram.subarray(0, bytes)), 'string');
    }
    assert.equal(opener.open(Buffer.concat([datagram, Buffer.alloc(1)])), 'badMac');
  });

  test(`${mode}: the other mode is found before the proof, which is checked on request`, () => {
    const opener = new Opener(ring.sync, encrypt);
    const authentic = sealed(ring.sync, !encrypt);
    assert.equal(opener.open(authentic), 'wrongMode');
    assert.ok(opener.isAuthentic(authentic));
    const forged = sealed(ring.sync, !encrypt);
    forged[30] = (forged[30] ?? 0) ^ 1;
    assert.equal(opener.open(forged), 'wrongMode');
    assert.ok(!opener.isAuthentic(forged));
    assert.ok(!opener.isAuthentic(forged.subarray(0, 10)));
  });
}

test('each reason for dropping a datagram is distinguished', async () => {
  const opener = new Opener(ring.sync, false);
  assert.equal(opener.open(Buffer.alloc(ENVELOPE_BYTES - 1)), 'short');
  assert.equal(opener.open(Buffer.alloc(ENVELOPE_BYTES)), 'foreign');
  const nextVersion = sealed();
  nextVersion[2] = 2;
  assert.equal(opener.open(nextVersion), 'foreign');
  const { sync: otherToken } = await deriveKeyRing(['other'], 'shoal');
  assert.equal(opener.open(sealed(otherToken)), 'unknownKey');
});

test('the same body is never encrypted to the same bytes', () => {
  const sealer = new Sealer(ring.sync, 1n, true);
  const bodies = [seal(sealer), seal(sealer), seal(new Sealer(ring.sync, 2n, true))].map(
    (datagram) => datagram.toString('hex', ENVELOPE_HEADER_BYTES),
  );
  assert.equal(new Set(bodies).size, 3);
});

test('after a change of keys the counter continues, and both tokens are accepted', () => {
  for (const encrypt of [false, true]) {
    const sealer = new Sealer(ring.sync, 1n, encrypt);
    const opener = new Opener(rotated.sync, encrypt);
    assert.ok(typeof opener.open(seal(sealer)) === 'object');
    sealer.rekey(rotated.sync);
    const opened = opener.open(seal(sealer));
    assert.ok(typeof opened === 'object' && opened.counter === 2);
    assert.equal(new Opener(ring.sync, encrypt).open(seal(sealer)), 'unknownKey');
  }
});

test('only a datagram of Shoal can be a probe', () => {
  const probe = seal(new Sealer(ring.sync, 1n, false, true));
  assert.equal(isProbe(probe), true);
  assert.equal(isProbe(sealed()), false);
  const ofAnotherProgram = Buffer.from(probe);
  ofAnotherProgram[0] = 0x58;
  assert.equal(isProbe(ofAnotherProgram), false);
});
