// When deliveries of a queue arrived: rounded so that none counts as older than it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueAges } from '../../../../src/node/bridges/queue-ages.ts';

test('a delivery counts from the mark behind it, and an acknowledgement up to the mark before it', () => {
  const ages = new QueueAges();
  ages.note(1000, 0);
  ages.note(2000, 5);
  ages.note(3000, 9);
  ages.note(4000, 9);
  assert.equal(ages.lastIdAt(999), 0);
  assert.equal(ages.lastIdAt(2999), 5, '6 to 9 may have arrived after that');
  assert.equal(ages.lastIdAt(3000), 9, 'also while nothing else arrives');
  assert.equal(ages.timeBefore(10), 4000);
  assert.equal(ages.timeBefore(6), 2000);
  assert.equal(ages.timeBefore(1), 1000);
  assert.equal(ages.timeBefore(0), -1);
});

test('a day of marks is bounded, and only becomes coarser', () => {
  const ages = new QueueAges();
  for (let second = 1; second <= 86_400; second++) ages.note(second * 1000, second);
  for (const second of [10, 1000, 40_000, 86_000]) {
    const found = ages.lastIdAt(second * 1000);
    assert.ok(found <= second, 'none counts as older than it is');
  }
  assert.equal(ages.lastIdAt(86_399_000), 86_399, 'the latest are exact');
});
