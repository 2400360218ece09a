import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChannelKey, deriveKeyRing } from '../../../src/shared/key-ring.ts';

function secrets(key: ChannelKey): string[] {
  return [String(key.id), key.macKey.toString('hex'), key.cipherRoot.toString('hex')];
}

test('the same token gives the same keys on every node', async () => {
  const [one, two] = await Promise.all([
    deriveKeyRing(['token'], 'shoal'),
    deriveKeyRing(['token'], 'shoal'),
  ]);
  assert.deepEqual(secrets(one.sync.signing), secrets(two.sync.signing));
});

test('a different token, cluster name or channel gives different keys', async () => {
  const rings = await Promise.all([
    deriveKeyRing(['token'], 'shoal'),
    deriveKeyRing(['Token'], 'shoal'),
    deriveKeyRing(['token'], 'shoal2'),
  ]);
  const all = rings.flatMap(({ gossip, sync }) => [gossip.signing, sync.signing]).flatMap(secrets);
  assert.equal(new Set(all).size, all.length);
});

test('of several tokens the first signs and all are accepted', async () => {
  const both = await deriveKeyRing(['new', 'old'], 'shoal');
  const oldOnly = await deriveKeyRing(['old'], 'shoal');
  assert.equal(both.sync.accepted.size, 2);
  assert.equal(both.sync.accepted.get(both.sync.signing.id), both.sync.signing);
  const known = both.sync.accepted.get(oldOnly.sync.signing.id);
  assert.ok(known !== undefined);
  assert.deepEqual(secrets(known), secrets(oldOnly.sync.signing));
});

test('without a token there is no key ring', async () => {
  await assert.rejects(deriveKeyRing([], 'shoal'));
});
