import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyKind } from '../../../src/sync/body-codec.ts';
import {
  HEARTBEAT_BYTES,
  type Heartbeat,
  readHeartbeat,
  writeHeartbeat,
} from '../../../src/sync/heartbeat-codec.ts';

const heartbeat: Heartbeat = {
  receiverBootId: 0xfffffffffffffffen,
  number: 0xffffffff,
  ackedNumber: 0xfffffffe,
  ackedBefore: 0x80000001,
  ackDelayMs: 1234.567,
  sentSequence: 2 ** 48 - 1,
  sentNumber: 2 ** 48 - 2,
  settledSequence: 2 ** 48 - 3,
  lostDatagrams: 2 ** 48 - 4,
  expectedNumber: 2 ** 48 - 5,
  lostMessages: 2 ** 48 - 6,
};

test('a heartbeat comes back as it was written, with and without padding', () => {
  for (const bytes of [HEARTBEAT_BYTES, 1360]) {
    const buffer = Buffer.alloc(bytes + 10, 0xff);
    writeHeartbeat(buffer, 5, 5 + bytes, heartbeat);
    const body = buffer.subarray(5, 5 + bytes);
    assert.equal(bodyKind(body), 'heartbeat');
    assert.deepEqual(readHeartbeat(body), heartbeat);
    assert.ok(body.subarray(HEARTBEAT_BYTES).every((byte) => byte === 0));
    assert.equal(buffer[4], 0xff);
    assert.equal(buffer[5 + bytes], 0xff);
  }
});

test('a delay that does not fit is sent as the longest one', () => {
  const body = Buffer.alloc(HEARTBEAT_BYTES);
  writeHeartbeat(body, 0, body.length, { ...heartbeat, ackDelayMs: 1e12 });
  assert.equal(readHeartbeat(body).ackDelayMs, 0xffffffff / 1000);
});

test('a body that is one byte too short is no heartbeat', () => {
  const body = Buffer.alloc(HEARTBEAT_BYTES);
  writeHeartbeat(body, 0, body.length, heartbeat);
  assert.equal(bodyKind(body.subarray(0, -1)), undefined);
});
