import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { Hmac } from '../../../src/shared/hmac.ts';

const key = Buffer.alloc(32, 0xa7);
const TAG_BYTES = 16;

function signed(hmac: Hmac, length: number): Buffer {
  const message = Buffer.alloc(length + TAG_BYTES, length & 0xff);
  hmac.sign(message, length, TAG_BYTES);
  return message;
}

test("the MAC is that of RFC 4231, test case 2, and of Node's HMAC-SHA256", () => {
  const message = Buffer.alloc(28 + 32);
  message.write('what do ya want for nothing?');
  new Hmac(Buffer.from('Jefe')).sign(message, 28, 32);
  assert.equal(
    message.toString('hex', 28),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  const hmac = new Hmac(key);
  for (const length of [0, 1, 63, 64, 65, 1400, 65_507, 9]) {
    const ours = signed(hmac, length);
    const theirs = createHmac('sha256', key).update(ours.subarray(0, length)).digest();
    assert.deepEqual(ours.subarray(length), theirs.subarray(0, TAG_BYTES), `${length} bytes`);
  }
});

test('a MAC verifies only its own message and key', () => {
  const hmac = new Hmac(key);
  const message = signed(hmac, 100);
  assert.equal(hmac.verify(message, 100), true);
  assert.equal(new Hmac(Buffer.alloc(32, 1)).verify(message, 100), false);
  for (const at of [0, 99, 100, 115]) {
    const forged = Buffer.from(message);
    forged[at] = (forged[at] ?? 0) ^ 0x10;
    assert.equal(hmac.verify(forged, 100), false, `byte ${at}`);
  }
  assert.equal(hmac.verify(signed(hmac, 5000), 5000), true, 'after a longer one');
});
