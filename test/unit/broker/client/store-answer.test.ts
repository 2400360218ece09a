// The time of a store's answer: a packet that waited for the store continues at the time of the
// answer, not at that of the packet.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStore, type SessionStore } from '../../../../src/broker/ports.ts';
import { World } from '../../../support/mqtt-world.ts';
import * as wire from '../../../support/wire.ts';

test('Keep Alive of a client that waited for the disk begins with the answer of the disk', () => {
  const waiting: ((now: number) => void)[] = [];
  const store = {
    ...memoryStore,
    durable: true,
    congested: false,
    whenDurable: (done: (now: number) => void) => {
      if (!store.congested) return 'durable';
      waiting.push(done);
      return 'pending';
    },
  } satisfies SessionStore as SessionStore & { congested: boolean };
  const world = new World({}, { store });
  const client = world.connect('a', { version: 4, clean: false, keepAlive: 10 });
  store.congested = true;
  client.send(wire.publish(4, { topic: 't', payload: 'x', qos: 1, id: 1 }));
  client.expectNothing();
  // No other event moves the broker's time before the answer.
  world.now += 60_000;
  store.congested = false;
  for (const done of waiting.splice(0)) done(world.now);
  assert.equal(client.expect('puback').id, 1);
  world.advance(14_000);
  client.expectNothing();
  world.advance(2000);
  assert.ok(client.closed, 'its own silence still ends the connection');
});
