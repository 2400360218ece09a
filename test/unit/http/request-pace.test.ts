import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestPace } from '../../../src/http/request-pace.ts';

test('one request begins in each turn of the event loop, in the order of their arrival', async () => {
  const pace = new RequestPace();
  let turn = 0;
  const count = (): void => {
    turn += 1;
    setImmediate(count).unref();
  };
  setImmediate(count).unref();
  const turns = await Promise.all(
    [1, 2, 3, 4].map(async (request) => {
      await pace.turn();
      return { request, turn };
    }),
  );
  assert.deepEqual(
    turns.map(({ request }) => request),
    [1, 2, 3, 4],
  );
  assert.equal(new Set(turns.map((one) => one.turn)).size, turns.length, 'no two in one turn');
});
