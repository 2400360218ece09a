import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatEndpoint, plainAddress, sameEndpoint } from '../../../src/shared/endpoint.ts';

test('an IPv6 address is written in brackets', () => {
  assert.equal(formatEndpoint({ address: 'fe80::1', port: 7946 }), '[fe80::1]:7946');
  assert.equal(formatEndpoint({ address: '10.0.0.1', port: 1 }), '10.0.0.1:1');
});

test('an IPv4 address from a dual-stack socket is plain IPv4', () => {
  assert.equal(plainAddress('::ffff:10.0.0.1'), '10.0.0.1');
  assert.equal(plainAddress('::ffff:a00:1'), '::ffff:a00:1');
  assert.equal(plainAddress('::1'), '::1');
});

test('endpoints are equal if address and port are', () => {
  const one = { address: '10.0.0.1', port: 1 };
  assert.ok(sameEndpoint(one, { ...one }));
  assert.ok(!sameEndpoint(one, { ...one, port: 2 }));
  assert.ok(!sameEndpoint(one, { ...one, address: '10.0.0.2' }));
});
