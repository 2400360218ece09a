// The state that a store found at the start: it is charged to those who had it, and what exceeds the bounds
// stays out, with a line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredSession, StoredState } from '../../../../src/broker/ports.ts';
import { CLIENT_GROUPS_MAX } from '../../../../src/broker/routing/filter-shapes.ts';
import { type LogFields, silentLogger } from '../../../../src/shared/logger.ts';
import { World } from '../../../support/mqtt-world.ts';
import { delivery, message, session } from '../../../support/stored-records.ts';

const NOTHING: StoredState = { sessions: [], retained: [] };

function stored(clientId: string, fields: Partial<StoredSession> = {}): StoredSession {
  const empty = { subscriptions: [], deliveries: [], received: [], will: undefined };
  return { ...session(clientId), ...empty, ...fields };
}

function restoredWorld(state: Partial<StoredState>, options = {}) {
  const lines: LogFields[] = [];
  const warn = (event: string, fields: LogFields = {}): void => {
    lines.push({ event, ...fields });
  };
  const world = new World(options, { log: { ...silentLogger, warn } });
  world.broker.importState({ ...NOTHING, ...state });
  return { world, lines };
}

test('restored sessions without a user name are charged to the address that they came from', () => {
  const deliveries = Array.from({ length: 50 }, (_, i) => delivery(i + 1, message('t', 'x')));
  const { world } = restoredWorld({
    sessions: [
      stored('stranger', { address: '192.0.2.1', deliveries }),
      stored('innocent', { address: '192.0.2.2' }),
    ],
  });
  const { accounts } = world.broker.context;
  const stranger = accounts.find(undefined, '192.0.2.1');
  assert.ok(stranger !== undefined && stranger.queueBytes > 5000);
  const innocent = accounts.find(undefined, '192.0.2.2');
  assert.deepEqual([innocent?.sessions, innocent?.absentSessions, innocent?.queueBytes], [1, 1, 0]);
});

test('subscriptions with more shared groups than a client may have are not restored', () => {
  const subscriptions = Array.from({ length: CLIENT_GROUPS_MAX + 50 }, (_, i) => ({
    filter: `$share/group${i}/x`,
    qos: 1 as const,
    noLocal: false,
    retainAsPublished: false,
    subscriptionIdentifier: 0,
  }));
  const { world, lines } = restoredWorld({ sessions: [stored('greedy', { subscriptions })] });
  const { tree } = world.broker.context;
  assert.deepEqual([tree.size, tree.shapes], [CLIENT_GROUPS_MAX, CLIENT_GROUPS_MAX]);
  assert.equal(lines.length, 50);
  assert.equal(lines[0]?.event, 'subscription not restored: a bound is reached');
  assert.deepEqual(world.connect('bob').subscribe(['+/y', '$share/new/x']).reasons, [2, 2]);
});

test('retained messages that exceed -memory-limit are not restored, and others are charged', () => {
  const publisher = { clientId: 'p', username: 'ann' };
  const retained = Array.from({ length: 500 }, (_, i) =>
    message(`t/${i}`, 'x'.repeat(1000), { retain: true, publisher }),
  );
  const sessions = [stored('p', { username: 'ann' })];
  const { world, lines } = restoredWorld({ sessions, retained }, { memoryBytesMax: 500_000 });
  const { accounts, retained: store } = world.broker.context;
  assert.ok(store.count > 300 && store.count < 400, `${store.count}`);
  assert.ok(accounts.bytes <= 500_000);
  assert.equal(accounts.find('ann', '')?.retainedMessages, store.count);
  assert.equal(world.broker.stats.retainedRefused, 500 - store.count);
  assert.equal(lines[0]?.event, 'retained message not restored: the store is full');
  assert.equal(lines[0]?.bound, '-memory-limit');
});
