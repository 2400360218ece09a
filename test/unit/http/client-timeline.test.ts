// What is kept of the log for each client.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientTimeline } from '../../../src/http/client-timeline.ts';
import { usedBytes } from '../../support/heap-summary.ts';

const BYTES_MAX = 8_388_608;

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
  for (let index = 0; index < 200; index++)
    timeline.take(line(`c${index}`, 2, 'x'.repeat(100_000)));
  assert.deepEqual(timeline.of('first'), []);
  assert.equal(timeline.of('c199').length, 1);
  assert.equal(timeline.of('c100').length, 0);
});

test('the memory of all timelines is bounded, and an event takes no more than it counts', () => {
  for (const reason of ['', '\u{1f321}'.repeat(100)]) {
    const before = usedBytes();
    const timeline = new ClientTimeline();
    let most = 0;
    for (let i = 0; i < 40_000; i++) {
      timeline.take(line(`client ${i}`, Date.now() + i, `${reason}${i}`));
      assert.ok(timeline.bytes <= BYTES_MAX);
      most = Math.max(most, timeline.bytes);
    }
    assert.ok(most > 0.9 * BYTES_MAX);
    assert.ok(timeline.bytes > 0.5 * BYTES_MAX);
    const took = usedBytes() - before;
    assert.ok(took <= 1.1 * timeline.bytes, `${took} bytes, ${timeline.bytes} are counted`);
    assert.equal(timeline.of('client 39999').length, 1);
  }
});

test('a client whose events are of the time before keeps them with its next one', () => {
  const timeline = new ClientTimeline();
  timeline.take(line('returns', 1, 'y'.repeat(100_000)));
  // More than half of the memory.
  const fill = (name: string): void => {
    for (let i = 0; i < 50; i++) timeline.take(line(`${name}${i}`, 2, 'x'.repeat(100_000)));
  };
  fill('a');
  const before = timeline.bytes;
  timeline.take(line('returns', 3));
  const more = timeline.bytes - before;
  assert.ok(more > 0 && more < 1000, `its events are counted once, ${more} bytes more`);
  fill('b');
  assert.deepEqual(
    timeline.of('returns').map(({ at }) => at),
    [1, 3],
  );
});

test('a line without a client is kept nowhere', () => {
  const timeline = new ClientTimeline();
  timeline.take({ at: 1, level: 'info', event: 'cluster online box2', fields: {} });
  assert.deepEqual(timeline.of(''), []);
});
