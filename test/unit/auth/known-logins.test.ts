import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownLogins } from '../../../src/auth/known-logins.ts';

test('an address is known after a login, and so is every address of its IPv6 /64', () => {
  const known = new KnownLogins();
  assert.equal(known.laneOf('2001:db8::1', undefined).isKnown, false);
  known.remember('2001:db8::1', 'ann');
  assert.equal(known.laneOf('2001:db8::2', undefined).isKnown, true);
  assert.equal(known.laneOf('2001:db8:0:1::1', undefined).isKnown, false);
});

test('all who claim the name of a known user from strange addresses share one lane', () => {
  const known = new KnownLogins();
  known.remember('192.0.2.1', 'ann');
  const lanes = ['192.0.2.2', '192.0.2.3'].map((address) => known.laneOf(address, 'ann'));
  assert.deepEqual(lanes[0], lanes[1]);
  assert.equal(lanes[0]?.isKnown, true);
  assert.notDeepEqual(known.laneOf('192.0.2.1', 'ann'), lanes[0], 'ann herself is not among them');
  assert.equal(known.laneOf('192.0.2.2', 'bob').isKnown, false);
});

test('with a prefix the addresses of an IPv4 network are one', () => {
  const known = new KnownLogins(24);
  assert.deepEqual(known.laneOf('192.0.2.1', 'a'), known.laneOf('192.0.2.200', 'b'));
  known.remember('192.0.2.1', 'ann');
  assert.equal(known.laneOf('192.0.2.200', 'bob').isKnown, true);
});

test('of very many addresses and users the one used longest ago is forgotten', () => {
  const known = new KnownLogins();
  const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  for (let i = 0; i < 10_000; i++) known.remember(address(i), `u${i}`);
  known.remember(address(0), 'u0');
  known.remember('192.0.2.1', 'ann');
  assert.equal(known.laneOf(address(0), undefined).isKnown, true);
  assert.equal(known.laneOf(address(1), undefined).isKnown, false);
  assert.equal(known.laneOf('192.0.2.2', 'u1').isKnown, false);
});

test('a user whose name is longer than any name is not remembered, only the address', () => {
  const logins = new KnownLogins();
  const name = 'u'.repeat(65_535);
  logins.remember('10.0.0.1', name);
  assert.equal(logins.laneOf('10.0.0.1', name).isKnown, true);
  assert.equal(logins.laneOf('10.0.0.2', name).isKnown, false);
});
