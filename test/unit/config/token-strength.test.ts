import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { estimatedBits, TOKEN_BITS_MIN, weakTokens } from '../../../src/config/token-strength.ts';

/** 32 bytes that look random. */
const digest = (seed: number): Buffer => createHash('sha256').update(`${seed}`).digest();

test('words, numbers, sequences and repetition are weak', () => {
  const weak = [
    ...[
      '1',
      'x',
      '12345678',
      '1234567890',
      'password',
      'Password1',
      'verysecret',
      'aaaaaaaaaaaaaaaa',
    ],
    ...['abcabcabcabcabcabcabcabc', 'correct horse battery', 'kitchen-2024', 'abcdefghijklmnop'],
    ...['98765432109876543210', 'qwerty', 'my house is blue', 'deadbeef'],
  ];
  assert.deepEqual(
    weakTokens(weak),
    weak.map((_, index) => index + 1),
  );
});

test('generated tokens of 16 bytes and more are strong, in every usual form', () => {
  for (let round = 0; round < 500; round++) {
    for (const form of ['hex', 'base64', 'base64url'] as const) {
      const token = digest(round).subarray(0, 16).toString(form);
      assert.ok(estimatedBits(token) >= TOKEN_BITS_MIN, `${token}: ${estimatedBits(token)}`);
    }
  }
  assert.ok(estimatedBits('b9c1f6f0-6a0c-4c7e-9f0e-0d5d7c1a2b3c') >= TOKEN_BITS_MIN);
});

test('the estimate rises with each random character', () => {
  const token = digest(0).toString('base64url');
  assert.ok(estimatedBits(token) > estimatedBits(token.slice(0, 20)));
});
