import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestPace } from '../../../src/http/request-pace.ts';

/** Reads each connection once. @returns which was read in which turn of the event loop */
async function readAll(closed: readonly number[] = []) {
  const pace = new RequestPace();
  const read: { connection: number; turn: number }[] = [];
  for (const connection of [1, 2, 3, 4]) {
    pace.add({
      destroyed: closed.includes(connection),
      readSome: () => read.push({ connection, turn }),
    });
  }
  let turn = 0;
  for (; turn < 5; turn++) await new Promise((next) => setImmediate(next));
  return read;
}

test('one connection is read in each turn of the event loop, in the order of their arrival', async () => {
  const read = await readAll();
  assert.deepEqual(
    read.map(({ connection }) => connection),
    [1, 2, 3, 4],
  );
  assert.equal(new Set(read.map(({ turn }) => turn)).size, 4, 'no two in one turn');
});

test('connections that were closed take no turn', async () => {
  const read = await readAll([1, 2, 3]);
  assert.deepEqual(read, [{ connection: 4, turn: 0 }]);
});
