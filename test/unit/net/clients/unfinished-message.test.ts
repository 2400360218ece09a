import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnfinishedMessage } from '../../../../src/net/clients/unfinished-message.ts';

test('many small frames cost more than their bytes', () => {
  const message = new UnfinishedMessage(1024);
  message.arrived(7 * 1000);
  assert.ok(message.bytes > 100_000);
});

test('bytes in many reads cost more than in one', () => {
  const message = new UnfinishedMessage(0);
  for (let i = 0; i < 1000; i++) message.arrived(1);
  assert.ok(message.bytes > 300_000);
});

test('nothing is counted after messages that arrived whole, however many', () => {
  const message = new UnfinishedMessage(1024);
  for (let i = 0; i < 10_000; i++) {
    message.complete(1000);
    message.control(4);
    message.arrived(1008 + 10);
  }
  assert.equal(message.bytes, 0);
});

test('the beginning of a message in the read that ended another one is counted', () => {
  const message = new UnfinishedMessage(1024);
  message.arrived(50_000);
  message.complete(60_000);
  message.arrived(10_008 + 40_000);
  assert.ok(message.bytes >= 40_000);
  message.complete(50_000);
  message.arrived(10_008);
  assert.equal(message.bytes, 0);
});
