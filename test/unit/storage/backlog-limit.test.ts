import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BACKLOG_BYTES_MAX,
  BACKLOG_BYTES_MIN,
  BacklogLimit,
} from '../../../src/storage/backlog-limit.ts';

test('as much may wait as the disk writes in half a second, within bounds', () => {
  const limit = new BacklogLimit();
  assert.equal(limit.bytes, BACKLOG_BYTES_MAX, 'before it is known');
  for (let i = 0; i < 20; i++) limit.wrote(1_000_000, 1000);
  assert.ok(Math.abs(limit.bytes - 500_000) < 1000, `${limit.bytes}`);
  for (let i = 0; i < 20; i++) limit.wrote(100_000, 10_000);
  assert.equal(limit.bytes, BACKLOG_BYTES_MIN);
  for (let i = 0; i < 20; i++) limit.wrote(10_000_000, 10);
  assert.equal(limit.bytes, BACKLOG_BYTES_MAX);
});

test('a small batch, which takes the time of a sync, does not make a disk slow', () => {
  const limit = new BacklogLimit();
  for (let i = 0; i < 20; i++) limit.wrote(100, 50);
  assert.equal(limit.bytes, BACKLOG_BYTES_MAX);
});
