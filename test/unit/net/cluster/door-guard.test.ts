import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
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

test('20 connections a second are admitted from one address, and 200 from all', (t) => {
  let now = 1000;
  t.mock.method(performance, 'now', () => now);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const guard = new DoorGuard({ onBusy: () => undefined, onFree: () => undefined });
  const admitted = (addresses: number, each: number): number => {
    let count = 0;
    for (let address = 0; address < addresses; address++) {
      for (let i = 0; i < each; i++) {
        const socket = socketOf(`10.0.0.${address}`);
        if (guard.admit(socket)) count += 1;
        socket.destroy();
      }
    }
    return count;
  };
  assert.equal(admitted(1, 30), 20);
  assert.equal(admitted(20, 10), 180, 'the others of this second');
  now += 999;
  assert.equal(admitted(1, 1), 0);
  now += 1;
  assert.equal(admitted(20, 11), 200, 'a new second');
});
