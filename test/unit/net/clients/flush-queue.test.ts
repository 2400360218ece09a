import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlushQueue } from '../../../../src/net/clients/flush-queue.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A connection whose write takes this long. */
function connection(name: string, order: string[], ms = 0): { flush(): void } {
  return {
    flush: () => {
      for (const end = performance.now() + ms; performance.now() < end; );
      order.push(name);
    },
  };
}

test('what an event writes to few connections leaves before what another writes to very many', async () => {
  const queue = new FlushQueue();
  const order: string[] = [];
  for (let i = 0; i < 100; i++) queue.add(connection('many', order));
  queue.endGroup(0);
  const begin = queue.size;
  queue.add(connection('few', order));
  queue.endGroup(begin);
  await turn();
  assert.equal(order[0], 'few');
  // A turn has two milliseconds for them, which a busy machine may spend on something else.
  for (let i = 0; i < 100 && order.length < 101; i++) await turn();
  assert.equal(order.length, 101);
});

test('writes to very many connections take several turns, and those of later turns come between', async () => {
  const queue = new FlushQueue();
  const order: string[] = [];
  for (let i = 0; i < 200; i++) queue.add(connection('many', order, 0.2));
  queue.endGroup(0);
  await turn();
  assert.ok(order.length > 0 && order.length < 200, `${order.length} writes in the first turn`);
  queue.add(connection('few', order));
  await turn();
  assert.ok(order.includes('few'));
  for (let i = 0; i < 200 && order.length < 201; i++) await turn();
  assert.equal(order.length, 201);
});

test('what waited for slow readers leaves after what other events write', async () => {
  const queue = new FlushQueue();
  const order: string[] = [];
  for (let i = 0; i < 3; i++) {
    const begin = queue.size;
    queue.add(connection('slow', order));
    queue.postpone(begin);
  }
  queue.add(connection('other', order));
  await turn();
  assert.deepEqual(order, ['other', 'slow', 'slow', 'slow']);
});
