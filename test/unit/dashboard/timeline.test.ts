// The timeline of a device, from the lines that the nodes have logged.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timelineOf } from '../../../src/dashboard/timeline.ts';

function line(at: number, node: string, event: string, fields = {}) {
  return { at, node, level: 'info', event, fields: { client: 'thermo7', ...fields } };
}

function textsOf(...events: ReturnType<typeof line>[]): string[] {
  return timelineOf(events).map(({ text }) => text);
}

test('a connection, and its end with the reason and its length', () => {
  assert.deepEqual(
    textsOf(
      line(0, 'box1', 'client connected', { from: '10.0.0.7' }),
      line(65_000, 'box1', 'client disconnected', { reason: 'keep alive timeout' }),
    ),
    [
      'disconnected from box1 after 1 min 5 s: keep alive timeout',
      'connected to box1, address 10.0.0.7',
    ],
  );
});

test('a connection to another node than before is a move', () => {
  assert.deepEqual(
    textsOf(
      line(0, 'box1', 'client connected'),
      line(1000, 'box2', 'client connected'),
      line(1001, 'box1', 'client disconnected', { reason: 'session taken over' }),
      line(9000, 'box2', 'client connected'),
    ),
    [
      'connected to box2',
      'disconnected from box1 after 1 s: session taken over',
      'moved from box1 to box2',
      'connected to box1',
    ],
  );
});

test('another line about the client is shown as the log has it', () => {
  assert.deepEqual(textsOf(line(0, 'box1', 'publish denied', { topic: 'a/b' })), [
    'publish denied topic=a/b',
  ]);
});
