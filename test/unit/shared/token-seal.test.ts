import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveKeyRing } from '../../../src/shared/key-ring.ts';
import { openTokens, sealTokens } from '../../../src/shared/token-seal.ts';

const ring = await deriveKeyRing(['old'], 'shoal');

test('a node with the token opens what was sealed for it', async () => {
  const both = await deriveKeyRing(['new', 'old'], 'shoal');
  const sealed = sealTokens(['old', 'new'], ring.handover, 'box2');
  assert.deepEqual(openTokens(sealed, both.handover, 'box2'), ['old', 'new']);
});

test('nothing opens without the token, for another node, or once a bit has changed', async () => {
  const sealed = sealTokens(['old', 'new'], ring.handover, 'box2');
  const stranger = await deriveKeyRing(['guess'], 'shoal');
  const elsewhere = await deriveKeyRing(['old'], 'another cluster');
  assert.equal(openTokens(sealed, stranger.handover, 'box2'), undefined);
  const { identity } = stranger.handover.own;
  assert.equal(openTokens({ ...sealed, key: identity }, stranger.handover, 'box2'), undefined);
  assert.equal(openTokens(sealed, elsewhere.handover, 'box2'), undefined);
  assert.equal(openTokens(sealed, ring.handover, 'box3'), undefined);
  const bytes = Buffer.from(sealed.sealed, 'base64');
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    const text = { ...sealed, sealed: damaged.toString('base64') };
    assert.equal(openTokens(text, ring.handover, 'box2'), undefined);
  }
  for (let length = 0; length < bytes.length; length++) {
    const cut = { ...sealed, sealed: bytes.subarray(0, length).toString('base64') };
    assert.equal(openTokens(cut, ring.handover, 'box2'), undefined);
  }
});

test('only lines of a file of tokens are tokens', () => {
  for (const wrong of [['a\nb'], ['a', ''], [' '], [1]]) {
    const sealed = sealTokens(wrong as string[], ring.handover, 'box2');
    assert.equal(openTokens(sealed, ring.handover, 'box2'), undefined);
  }
});
