import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Heartbeat } from '../../../src/sync/heartbeat-codec.ts';
import { HeartbeatTracker } from '../../../src/sync/heartbeat-tracker.ts';
import { PROBES_LOST_MAX } from '../../../src/sync/limits.ts';
import { PathSize } from '../../../src/sync/path-size.ts';

function report(fields: Partial<Heartbeat>): Heartbeat {
  return {
    receiverBootId: 1n,
    number: 1,
    ackedNumber: 0,
    ackedBefore: 0,
    ackDelayMs: 0,
    sentSequence: 0,
    sentNumber: 1,
    settledSequence: 0,
    lostDatagrams: 0,
    expectedNumber: 1,
    lostMessages: 0,
    ...fields,
  };
}

/** What a tracker acknowledges after heartbeats with these numbers, in the order of arrival. */
function acknowledged(...arrivals: (readonly [number: number, envelope: number])[]): Heartbeat {
  const tracker = new HeartbeatTracker(new PathSize(1400));
  for (const [number, envelope] of arrivals) tracker.receive(report({ number }), envelope, 0);
  const heartbeat = report({});
  tracker.acknowledge(heartbeat, 10);
  return heartbeat;
}

test('the highest number is acknowledged, and which of the 32 before it have arrived', () => {
  const { ackedNumber, ackedBefore } = acknowledged([1, 1], [2, 2], [4, 4], [34, 34]);
  assert.equal(ackedNumber, 34);
  // 33 - 4 = 29, 33 - 2 = 31; number 1 is 33 before and no longer shown.
  assert.equal(ackedBefore >>> 0, (2 ** 29 + 2 ** 31) >>> 0);
});

test('a heartbeat that was overtaken is acknowledged, but its report is outdated', () => {
  const { ackedNumber, ackedBefore } = acknowledged([1, 1], [3, 3], [2, 2]);
  assert.equal(ackedNumber, 3);
  assert.equal(ackedBefore, 0b11);
  const tracker = new HeartbeatTracker(new PathSize(1400));
  assert.equal(tracker.receive(report({ number: 3 }), 3, 0), true);
  assert.equal(tracker.receive(report({ number: 2 }), 2, 0), false);
});

test('a peer that numbers its heartbeats from 1 again is followed', () => {
  const { ackedNumber, ackedBefore } = acknowledged([500, 500], [1, 501]);
  assert.deepEqual([ackedNumber, ackedBefore], [1, 0]);
});

test('heartbeats after the acknowledged one are missing, since the first of them was sent', () => {
  const tracker = new HeartbeatTracker(new PathSize(1400));
  for (let number = 1; number <= 5; number++) tracker.send(number * 1000, 0, 1);
  tracker.receive(report({ ackedNumber: 2, ackedBefore: 1 }), 1, 6000);
  assert.deepEqual([tracker.missing, tracker.missingSince, tracker.passed], [3, 3000, 2]);
  tracker.receive(report({ number: 2, ackedNumber: 5, ackedBefore: 0b1101 }), 2, 7000);
  assert.deepEqual([tracker.missing, tracker.passed, tracker.takeLost()], [0, 4, 1]);
});

test('an acknowledgement of a number that was never sent changes nothing', () => {
  const tracker = new HeartbeatTracker(new PathSize(1400));
  tracker.send(0, 0, 1);
  tracker.receive(report({ ackedNumber: 99, ackedBefore: 0xffffffff }), 1, 10);
  assert.deepEqual([tracker.passed, tracker.rttMs], [0, undefined]);
});

test('the delay at the peer is not part of the round-trip time', () => {
  const tracker = new HeartbeatTracker(new PathSize(1400));
  tracker.send(1000, 0, 1);
  tracker.receive(report({ ackedNumber: 1, ackDelayMs: 700 }), 1, 1705);
  assert.equal(tracker.rttMs, 5);
});

test('a size fails after three probes that are lost while small heartbeats pass', () => {
  const path = new PathSize(1400);
  path.helloAnswered(1400, 0);
  path.lossReported(0);
  const tracker = new HeartbeatTracker(path);
  let number = 0;
  for (let round = 1; round <= PROBES_LOST_MAX; round++) {
    assert.equal(path.bytes, 1400);
    tracker.send(round, 0, 1);
    tracker.send(round, path.probeBytes(round) ?? 0, 1);
    number = tracker.send(round, 0, 1);
    tracker.receive(
      report({ number: round, ackedNumber: number, ackedBefore: 0b10 }),
      round,
      round,
    );
  }
  assert.equal(path.bytes, 1200);
});
