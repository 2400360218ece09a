import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { DoorGuard } from '../../../../src/net/cluster/door-guard.ts';

const CALM_MS = 5000;

function socketOf(remoteAddress: string): Socket {
  const socket = new EventEmitter();
  return Object.assign(socket, { remoteAddress, destroy: () => socket.emit('close') }) as never;
}

test('it says once that it closes connections, and that all is well after five seconds without one', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  const guard = new DoorGuard({
    onBusy: (address) => lines.push(`busy ${address}`),
    onFree: () => lines.push('free'),
  });
  for (let i = 0; i < 30; i++) guard.admit(socketOf('10.0.0.7'));
  assert.ok(guard.counters.crowded > 0 && guard.counters.overRate > 0);
  assert.deepEqual(lines, ['busy 10.0.0.7']);
  t.mock.timers.tick(CALM_MS - 1);
  guard.admit(socketOf('10.0.0.7'));
  t.mock.timers.tick(CALM_MS - 1);
  assert.deepEqual(lines, ['busy 10.0.0.7']);
  t.mock.timers.tick(1);
  assert.deepEqual(lines, ['busy 10.0.0.7', 'free']);
  guard.admit(socketOf('10.0.0.7'));
  guard.end();
  assert.deepEqual(lines.slice(2), ['busy 10.0.0.7', 'free']);
});
