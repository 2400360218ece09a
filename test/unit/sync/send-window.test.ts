import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASK_AGAIN_MS, SILENT_WINDOW_MS, WINDOW_DATAGRAMS_MAX } from '../../../src/sync/limits.ts';
import { SendWindow } from '../../../src/sync/send-window.ts';

const SMALL_BYTES = 200;
const LARGE_BYTES = 1400;
const ROOMY = 4 * 1024 * 1024;

/** A window whose peer grants `windowBytes`, with nothing under way. */
function windowOf(windowBytes: number): { window: SendWindow; sequence: number } {
  const window = new SendWindow();
  window.sent(1, SMALL_BYTES, true, 0);
  window.handleAck({ receiverBootId: 1n, sequence: 1, lostDatagrams: 0, windowBytes }, 0);
  return { window, sequence: 1 };
}

/** Sends until the window is full. @returns the sequences of the datagrams that asked for an ack */
function fill(window: SendWindow, after: number, bytes: number): { asked: number[]; last: number } {
  const asked: number[] = [];
  let sequence = after;
  while (window.isOpen) {
    sequence += 1;
    const asks = window.wantsAck(bytes, 1);
    if (asks) asked.push(sequence);
    window.sent(sequence, bytes, asks, 1);
  }
  window.turnEnded(1);
  return { asked, last: sequence };
}

for (const [kind, bytes] of [
  ['small', SMALL_BYTES],
  ['large', LARGE_BYTES],
] as const) {
  test(`a window that fills with ${kind} datagrams asks several times on the way`, () => {
    const { window, sequence } = windowOf(ROOMY);
    const { asked, last } = fill(window, sequence, bytes);
    assert.ok(last - sequence <= WINDOW_DATAGRAMS_MAX);
    assert.ok(asked.length >= 3 && asked.length <= 6, `${asked.length} asks`);
    assert.ok(asked[0]! - sequence <= (last - sequence) / 2, 'the first ask comes early');
  });
}

test('a full window lets one datagram leave at each interval, and it asks again', () => {
  const { window, sequence } = windowOf(64 * 1024);
  let { last } = fill(window, sequence, LARGE_BYTES);
  let now = 1;
  for (let turn = 0; turn < 3; turn++) {
    assert.equal(window.deadline, now + ASK_AGAIN_MS);
    now += ASK_AGAIN_MS;
    assert.equal(window.advance(now), false);
    assert.ok(window.isOpen);
    assert.ok(window.wantsAck(LARGE_BYTES, now));
    window.sent(++last, LARGE_BYTES, true, now);
    window.turnEnded(now);
    assert.ok(!window.isOpen);
  }
  window.handleAck(
    { receiverBootId: 1n, sequence: last, lostDatagrams: 0, windowBytes: ROOMY },
    now,
  );
  assert.ok(window.isOpen);
  assert.equal(window.deadline, Number.POSITIVE_INFINITY);
});

test('a peer that acknowledges nothing is no longer waited for', () => {
  const { window, sequence } = windowOf(64 * 1024);
  fill(window, sequence, LARGE_BYTES);
  assert.equal(window.advance(1 + ASK_AGAIN_MS), false);
  assert.equal(window.deadline, 1 + SILENT_WINDOW_MS);
  assert.equal(window.advance(1 + SILENT_WINDOW_MS), true);
  assert.ok(window.isOpen);
});

test('a window that shrinks below what is under way never waits for an ack that no datagram asked for', () => {
  const { window } = windowOf(ROOMY);
  window.sent(2, LARGE_BYTES, true, 1);
  for (let sequence = 3; sequence < 20; sequence++) window.sent(sequence, LARGE_BYTES, false, 1);
  window.handleAck({ receiverBootId: 1n, sequence: 2, lostDatagrams: 0, windowBytes: 8192 }, 2);
  assert.ok(window.isOpen);
  assert.ok(window.wantsAck(LARGE_BYTES, 2));
  window.sent(20, LARGE_BYTES, true, 2);
  assert.ok(!window.isOpen);
});

/** @returns how many datagrams fit after a window from which each of the first acks reported a further loss */
function roomAfterLosses(losses: number): number {
  const { window, sequence } = windowOf(64 * 1024);
  const { last } = fill(window, sequence, LARGE_BYTES);
  const acked = [1, 2, 3].map((ack, i) => ({
    sequence: sequence + ack,
    lostDatagrams: Math.min(i + 1, losses),
  }));
  for (const ack of [...acked, { sequence: last, lostDatagrams: losses }]) {
    window.handleAck({ receiverBootId: 1n, windowBytes: 64 * 1024, ...ack }, 2);
  }
  return fill(window, last, LARGE_BYTES).last - last;
}

test('several losses in one window make it smaller once', () => {
  const without = roomAfterLosses(0);
  const rooms = [1, 2, 3].map(roomAfterLosses);
  for (const room of rooms) {
    assert.ok(room > 0.6 * without && room < without, `${rooms} of ${without}`);
  }
});
