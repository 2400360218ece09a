import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isStarved,
  ProcessorShare,
  processorMs,
} from '../../../../src/node/cluster/processor-share.ts';

test('the share of a processor follows what the machine gives, second by second', () => {
  let used = 5000;
  const share = new ProcessorShare(() => used);
  share.begin(1000);
  assert.equal(share.at(1050), undefined, 'too short to say');
  used += 400;
  assert.equal(share.at(1500), 0.8);
  used += 100;
  assert.equal(share.at(2000), 0.5);
  used += 900;
  assert.equal(share.at(2900), 0.5, 'the last whole second');
  assert.equal(share.at(3000), 0.9);
  assert.deepEqual([0.9, 0.5, 0.49, undefined].map(isStarved), [false, false, true, false]);
});

test('the processor time of this process grows with its work', () => {
  const before = processorMs();
  while (processorMs() === before);
  assert.ok(processorMs() > before);
});
