import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BeaconLimit,
  SOURCE_PER_SECOND,
  TOTAL_PER_SECOND,
} from '../../../src/discovery/beacon-limit.ts';

test('a source that floods has its share, and leaves the others theirs', () => {
  const limit = new BeaconLimit();
  const admitted = Array.from({ length: 10_000 }, () => limit.admit(0, '192.168.1.66'));
  assert.equal(admitted.filter(Boolean).length, SOURCE_PER_SECOND);
  assert.equal(limit.admit(0, '192.168.1.2'), true);
  assert.equal(limit.admit(1000, '192.168.1.66'), true);
});

test('addresses of one IPv6 network are one source', () => {
  const limit = new BeaconLimit();
  const admitted = Array.from({ length: 1000 }, (_, index) => limit.admit(0, `fd00::${index}`));
  assert.equal(admitted.filter(Boolean).length, SOURCE_PER_SECOND);
});

test('forged sources together have a bound', () => {
  const limit = new BeaconLimit();
  let admitted = 0;
  for (let index = 0; index < 65_536; index++) {
    const address = `10.0.${index >> 8}.${index & 255}`;
    for (let repeat = 0; repeat < 3; repeat++) if (limit.admit(0, address)) admitted += 1;
  }
  assert.ok(admitted <= TOTAL_PER_SECOND, `${admitted}`);
});
