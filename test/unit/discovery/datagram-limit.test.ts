import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatagramLimit } from '../../../src/discovery/datagram-limit.ts';

const RATES = { total: 500, ofSource: 40 };

test('a source that floods has its share, and leaves the others theirs', () => {
  const limit = new DatagramLimit(RATES);
  const admitted = Array.from({ length: 10_000 }, () => limit.admit(0, '192.168.1.66'));
  assert.equal(admitted.filter(Boolean).length, RATES.ofSource);
  assert.equal(limit.admit(0, '192.168.1.2'), true);
  assert.equal(limit.admit(1000, '192.168.1.66'), true);
});

test('addresses of one IPv6 network are one source', () => {
  const limit = new DatagramLimit(RATES);
  const admitted = Array.from({ length: 1000 }, (_, index) => limit.admit(0, `fd00::${index}`));
  assert.equal(admitted.filter(Boolean).length, RATES.ofSource);
});

test('forged sources together have a bound', () => {
  const limit = new DatagramLimit(RATES);
  let admitted = 0;
  for (let index = 0; index < 65_536; index++) {
    const address = `10.0.${index >> 8}.${index & 255}`;
    for (let repeat = 0; repeat < 3; repeat++) if (limit.admit(0, address)) admitted += 1;
  }
  assert.ok(admitted <= RATES.total, `${admitted}`);
});
