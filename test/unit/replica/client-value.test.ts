import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WillPacket } from '../../../src/mqtt/control-decoder.ts';
import { decodeClient, encodeClient, NO_WILL } from '../../../src/replica/client-value.ts';
import { seededRandom } from '../../support/random.ts';

const WILL: WillPacket = {
  topic: 'geräte/1',
  payload: Buffer.from('offline'),
  qos: 2,
  retain: true,
  properties: Buffer.from([1, 0]),
  delaySeconds: 300,
  expirySeconds: 0,
  payloadIsText: false,
};

test('a will comes back as it was', () => {
  assert.deepEqual(decodeClient(encodeClient(WILL)!), WILL);
  const plain = { ...WILL, qos: 0, retain: false, expirySeconds: -1 } as const;
  assert.deepEqual(decodeClient(encodeClient(plain)!), plain);
});

test('a client without a will has a value without one', () => {
  assert.equal(encodeClient(undefined), NO_WILL);
  assert.ok(NO_WILL.length > 0);
  assert.equal(decodeClient(NO_WILL), undefined);
});

test('bytes that are cut or changed never throw', () => {
  const random = seededRandom(5);
  const whole = encodeClient(WILL)!;
  for (let round = 0; round < 10_000; round++) {
    const bytes = Buffer.from(whole);
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    decodeClient(bytes.subarray(0, Math.floor(random() * (bytes.length + 1))));
  }
});

test('properties that are longer than their length can say have no value', () => {
  const withBytes = (count: number) => encodeClient({ ...WILL, properties: Buffer.alloc(count) });
  assert.ok(decodeClient(withBytes(65_535)!));
  assert.equal(withBytes(65_536), undefined);
});
