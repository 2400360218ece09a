import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ListWalker } from '../../../../src/node/status/list-walker.ts';

const LONG = Array.from({ length: 2000 }, (_, i) => i);

test('many walks at a time visit no more items in a turn of the event loop than one', async () => {
  const walker = new ListWalker();
  let inTurn = 0;
  let most = 0;
  const visit = (): void => {
    inTurn += 1;
    most = Math.max(most, inTurn);
  };
  const isOver = (): void => {
    inTurn = 0;
    timer = setImmediate(isOver);
  };
  let timer = setImmediate(isOver);
  await walker.walk(LONG, visit);
  const alone = most;
  await Promise.all(Array.from({ length: 20 }, () => walker.walk(LONG, visit)));
  clearImmediate(timer);
  assert.ok(alone < LONG.length, 'a long list takes several turns');
  assert.ok(most <= 2 * alone, `${most} items in a turn, ${alone} of one walk`);
});

test('a walk that fails holds up no other one', async () => {
  const walker = new ListWalker();
  const failed = walker.walk(LONG, () => {
    throw new Error('cannot be shown');
  });
  const seen: number[] = [];
  const next = walker.walk([1, 2], (item) => seen.push(item));
  await assert.rejects(failed, /cannot be shown/);
  await next;
  assert.deepEqual(seen, [1, 2]);
});
