import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultBrokerOptions } from '../../../../src/broker/options.ts';
import { memoryStore } from '../../../../src/broker/ports.ts';
import { SharedGroup } from '../../../../src/broker/routing/shared-group.ts';
import type { Subscription } from '../../../../src/broker/routing/subscription-tree.ts';
import { QueueMemory } from '../../../../src/broker/session/queue-memory.ts';
import { Session } from '../../../../src/broker/session/session.ts';
import { BrokerStats } from '../../../../src/broker/stats.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

const context = {
  options: defaultBrokerOptions,
  store: memoryStore,
  stats: new BrokerStats(),
  queueMemory: new QueueMemory(),
  log: silentLogger,
};

function newMember(name: string): Subscription {
  const session = new Session({ clientId: name, username: undefined }, context);
  return {
    session,
    filter: '$share/g/t',
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    identifiers: [],
  };
}

const everybody = (): boolean => true;

test('members take turns, and whoever comes or goes leaves the others their place', () => {
  const group = new SharedGroup();
  const members = ['a', 'b', 'c', 'd'].map(newMember);
  for (const member of members) assert.equal(group.add(member), true);
  const [a, b] = members as [Subscription, Subscription];
  const turns = (count: number): string =>
    Array.from({ length: count }, () => group.pick(everybody)?.session.clientId).join('');
  assert.equal(turns(6), 'abcdab');
  assert.equal(group.add({ ...b, qos: 1 }), false);
  assert.equal(group.size, 4);
  assert.equal(group.remove(b.session), true);
  assert.equal(group.remove(b.session), false);
  assert.equal([...turns(6)].sort().join(''), 'aaccdd');
  assert.equal(
    group.pick(({ session }) => session === a.session),
    a,
  );
  assert.equal(
    group.pick(({ session }) => session === a.session, a.session),
    undefined,
  );
  for (const member of members) group.remove(member.session);
  assert.equal(group.size, 0);
  assert.equal(group.pick(everybody), undefined);
});

test('a hundred thousand members come and go in the time that each needs', () => {
  const group = new SharedGroup();
  const members = Array.from({ length: 100_000 }, (_, i) => newMember(`${i}`));
  const startedAt = process.cpuUsage();
  for (const member of members) group.add(member);
  for (const member of members) group.remove(member.session);
  const { user } = process.cpuUsage(startedAt);
  assert.ok(user < 3_000_000, `${user / 1000} ms`);
});
