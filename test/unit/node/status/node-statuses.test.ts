import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNews, type NodeStatus } from '../../../../src/node/status/node-statuses.ts';
import { NO_TROUBLES } from '../../../../src/node/status/node-troubles.ts';

const STATUS: NodeStatus = {
  version: '0.4.0',
  clients: 40,
  sessions: 40,
  receivedPerSecond: 1,
  sentPerSecond: 0,
  loadPercent: 3,
  options: {},
  troubles: NO_TROUBLES,
  clientAddresses: [],
  clockAheadMs: 0,
};

test('the other nodes hear of a noticeable change at once, and of any within half a minute', () => {
  const more = { ...STATUS, clients: 50 };
  const silent = { ...STATUS, receivedPerSecond: 0 };
  assert.ok(isNews(STATUS, more, 5_000));
  assert.ok(!isNews(STATUS, silent, 25_000));
  assert.ok(isNews(STATUS, silent, 30_000));
});

test('a node whose figures stay as they are sends nothing, however old they are', () => {
  assert.ok(!isNews(STATUS, { ...STATUS }, 3_600_000));
});

test('the other nodes hear at once which node has taken the address of the clients', () => {
  const holder = { ...STATUS, clientAddresses: ['192.168.1.10'] };
  assert.ok(isNews(STATUS, holder, 5_000));
  assert.ok(isNews(holder, STATUS, 5_000));
  assert.ok(!isNews(holder, { ...holder, clientAddresses: ['192.168.1.10'] }, 5_000));
});

test('the other nodes hear at once of a clock that was set, and not of one that drifts', () => {
  assert.ok(isNews(STATUS, { ...STATUS, clockAheadMs: -3_600_000 }, 5_000));
  assert.ok(!isNews(STATUS, { ...STATUS, clockAheadMs: -20_000 }, 3_600_000));
});
