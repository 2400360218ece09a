import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RepairPacer } from '../../../../src/node/replication/repair-pacer.ts';

test('a repair waits while subscribers have much more to take than before it', () => {
  const pacer = new RepairPacer();
  assert.equal(pacer.mayAsk(10_000, 0), true);
  pacer.repaired(1);
  assert.equal(pacer.mayAsk(10_150, 2), true);
  assert.equal(pacer.mayAsk(10_500, 3), false);
  assert.equal(pacer.mayAsk(10_100, 4), true);
});

test('a subscriber that takes nothing does not stop the repair', () => {
  const pacer = new RepairPacer();
  pacer.mayAsk(0, 0);
  let asked = 0;
  for (let now = 1; now <= 10_000; now += 50) {
    pacer.repaired(now);
    if (pacer.mayAsk(5000, now)) asked += 1;
  }
  assert.ok(asked >= 4, `${asked} requests`);
});
