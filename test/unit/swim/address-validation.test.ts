import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressValidation } from '../../../src/swim/address-validation.ts';
import { type Member, MemberTable } from '../../../src/swim/member-table.ts';
import { Membership } from '../../../src/swim/membership.ts';
import { Nonces } from '../../../src/swim/nonces.ts';
import { UpdateQueue } from '../../../src/swim/update-queue.ts';

const OLD = { address: '10.0.0.2', port: 7946 };
const NEW = { address: '10.0.0.99', port: 7946 };

/** A member that was heard at its old address a moment ago. */
function heardMember(): Member {
  const table = new MemberTable(() => 0);
  const membership = new Membership(table, new UpdateQueue('a'), 1000, {
    nameClaimed: () => undefined,
    memberChanged: () => undefined,
  });
  const metadata = Buffer.alloc(0);
  const detail = { ...OLD, isAdvertised: false, metadata, ageMs: 0 };
  const news = { name: 'b', bootId: 2n, incarnation: 0, state: 'alive', detail } as const;
  membership.apply(0, news, { kind: 'direct', from: OLD, reporter: 'b' });
  const member = table.get('b');
  assert.ok(member !== undefined);
  membership.validated(0, member, 1, OLD);
  return member;
}

test('a challenge from a new address is answered at the old one while the member is heard there', () => {
  const validation = new AddressValidation(new Nonces(Math.random, 0));
  const member = heardMember();
  validation.contacted(NEW);
  assert.deepEqual(validation.challengeReplyTo(100, NEW, member), OLD);
  validation.contacted(NEW, 3n);
  assert.deepEqual(validation.challengeReplyTo(100, NEW, member), OLD, 'another boot says so');
});

test('a challenge from an address that the member itself has announced is answered there', () => {
  const validation = new AddressValidation(new Nonces(Math.random, 0));
  const member = heardMember();
  validation.contacted(NEW, 2n);
  assert.deepEqual(validation.challengeReplyTo(100, NEW, member), NEW);
  const third = { address: '10.0.0.66', port: 7946 };
  assert.deepEqual(validation.challengeReplyTo(100, third, member), OLD);
});
