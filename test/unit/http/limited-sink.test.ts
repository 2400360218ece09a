// A stream of very many events costs no more than its bound.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitedSink } from '../../../src/http/limited-sink.ts';

test('an event beyond the bound is not even made, and is counted', () => {
  const sent: string[] = [];
  let made = 0;
  let dropped = 0;
  const sink = new LimitedSink(
    {
      send: (event, data) => {
        if (typeof data === 'function') data();
        sent.push(event);
      },
      end: () => undefined,
    },
    () => {
      dropped += 1;
    },
  );
  for (let number = 0; number < 100_000; number++) {
    sink.send('message', () => {
      made += 1;
      return {};
    });
  }
  assert.equal(made + dropped, 100_000);
  assert.ok(dropped > 50_000, `${dropped}`);
  assert.equal(sent.filter((event) => event === 'message').length + dropped, 100_000);
});
