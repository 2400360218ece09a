import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OngoingFaults } from '../../../src/shared/ongoing-faults.ts';

test('a fault has a line when it begins, one each interval, and one when it ends', () => {
  const faults = new OngoingFaults(1000);
  assert.equal(faults.report('x', 0), true);
  assert.equal(faults.report('x', 999), false);
  assert.equal(faults.report('x', 1000), true);
  assert.equal(faults.report('x', 1500), false);
  assert.ok(faults.has('x'));
  assert.equal(faults.resolve('x', 1700), 1700);
  assert.equal(faults.resolve('x', 1800), undefined, 'it ends once');
  assert.equal(faults.report('x', 1900), true, 'and may begin again at once');
});

test('a fault without a warning has no line at its end', () => {
  const faults = new OngoingFaults(1000, 1);
  assert.equal(faults.resolve('x', 0), undefined);
  assert.equal(faults.report('x', 0), true);
  assert.equal(faults.report('y', 0), false, 'no room for another');
  assert.equal(faults.resolve('y', 1), undefined);
  faults.forget('x');
  assert.equal(faults.resolve('x', 2), undefined);
  assert.equal(faults.size, 0);
});
