import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SendFaults } from '../../../../src/net/cluster/send-faults.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

function setUp(t: { mock: { method: typeof import('node:test').mock.method } }) {
  let now = 1000;
  t.mock.method(performance, 'now', () => now);
  const lines: [string, unknown][] = [];
  const add = (event: string, fields?: unknown): number => lines.push([event, fields]);
  const faults = new SendFaults({ ...silentLogger, info: add, warn: add }, 7946);
  return {
    faults,
    lines,
    pass: (ms: number): void => {
      now += ms;
    },
  };
}

const blocked = Object.assign(new Error('send EPERM 10.0.0.3:7946'), {
  code: 'EPERM',
  address: '10.0.0.3',
  port: 7946,
});

test('a firewall that blocks outgoing datagrams has a line in words, and one when it ends', (t) => {
  const { faults, lines, pass } = setUp(t);
  for (let i = 0; i < 100; i++) faults.failed(blocked);
  const fields = {
    port: 7946,
    to: '10.0.0.3:7946',
    reason: 'a firewall on this machine blocks it; allow outgoing traffic to that port',
    total: 1,
  };
  assert.deepEqual(lines, [['datagrams cannot be sent', fields]]);
  pass(5000);
  faults.succeeded();
  assert.ok(faults.isOngoing, 'another receiver may have taken that one');
  pass(5000);
  faults.succeeded();
  assert.ok(!faults.isOngoing);
  assert.deepEqual(lines[1], ['datagrams are sent again', { port: 7946, lastedMs: 10_000 }]);
});

test('while sending fails the line is repeated each minute with the total', (t) => {
  const { faults, lines, pass } = setUp(t);
  for (let second = 0; second <= 120; second++) {
    faults.failed(blocked);
    pass(1000);
  }
  const totals = lines.map(([, fields]) => (fields as { total: number }).total);
  assert.deepEqual(totals, [1, 61, 121]);
});
