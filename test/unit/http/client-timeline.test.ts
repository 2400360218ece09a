// What is kept of the log for each client.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientTimeline } from '../../../src/http/client-timeline.ts';

function line(client: string, at: number, reason = '') {
  return { at, level: 'info', event: 'client disconnected', fields: { client, reason } } as const;
}

test('a client that flaps leaves the events of the others where they are', () => {
  const timeline = new ClientTimeline();
  timeline.take(line('quiet', 1));
  for (let at = 2; at < 50_000; at++) timeline.take(line('flapping', at));
  assert.deepEqual(
    timeline.of('quiet').map(({ at }) => at),
    [1],
  );
  assert.equal(timeline.of('flapping').length, 40);
  assert.equal(timeline.of('flapping').at(-1)?.at, 49_999);
});

test('many clients with long reasons push out those that were quiet for longest', () => {
  const timeline = new ClientTimeline();
  timeline.take(line('first', 1));
  for (let index = 0; index < 100; index++)
    timeline.take(line(`c${index}`, 2, 'x'.repeat(100_000)));
  assert.deepEqual(timeline.of('first'), []);
  assert.equal(timeline.of('c99').length, 1);
  assert.equal(timeline.of('c50').length, 0);
});

test('a line without a client is kept nowhere', () => {
  const timeline = new ClientTimeline();
  timeline.take({ at: 1, level: 'info', event: 'cluster online box2', fields: {} });
  assert.deepEqual(timeline.of(''), []);
});
