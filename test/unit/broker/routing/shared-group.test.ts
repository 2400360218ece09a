import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedGroup } from '../../../../src/broker/routing/shared-group.ts';
import type { Subscription } from '../../../../src/broker/routing/subscription.ts';
import { newSubscriber, subscriptionTo } from '../../../support/subscribers.ts';

const newMember = (name: string): Subscription => subscriptionTo('$share/g/t', newSubscriber(name));

const mayReceive = (): boolean => true;

test('members take turns, and a member that joins or leaves does not change the order of the others', () => {
  const group = new SharedGroup('workers', 'jobs');
  const members = ['a', 'b', 'c', 'd'].map(newMember);
  for (const member of members) assert.equal(group.add(member), true);
  const [a, b] = members as [Subscription, Subscription];
  const turns = (count: number): string =>
    Array.from({ length: count }, () => group.pick(mayReceive)?.subscriber.identity.clientId).join(
      '',
    );
  assert.equal(turns(6), 'abcdab');
  assert.equal(group.add({ ...b, qos: 1 }), false);
  assert.equal(group.size, 4);
  assert.equal(group.remove(b.subscriber), true);
  assert.equal(group.remove(b.subscriber), false);
  assert.equal([...turns(6)].sort().join(''), 'aaccdd');
  assert.equal(
    group.pick(({ subscriber }) => subscriber === a.subscriber),
    a,
  );
  assert.equal(
    group.pick(({ subscriber }) => subscriber === a.subscriber, a.subscriber),
    undefined,
  );
  for (const member of members) group.remove(member.subscriber);
  assert.equal(group.size, 0);
  assert.equal(group.pick(mayReceive), undefined);
});

test('the cost of adding and removing a member does not rise with the number of members', () => {
  const group = new SharedGroup('workers', 'jobs');
  const members = Array.from({ length: 100_000 }, (_, i) => newMember(`${i}`));
  const startedAt = process.cpuUsage();
  for (const member of members) group.add(member);
  for (const member of members) group.remove(member.subscriber);
  const { user } = process.cpuUsage(startedAt);
  assert.ok(user < 3_000_000, `${user / 1000} ms`);
});
