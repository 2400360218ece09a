// Clients that wait for the store: the time of its answer, the end of a connection before it, and the
// bytes that arrive meanwhile. The store answers only when the test says so.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStore, type SessionStore } from '../../../../src/broker/ports.ts';
import { World } from '../../../support/mqtt-world.ts';
import * as wire from '../../../support/wire.ts';

class SlowStore {
  /** Callers wait for answer(). */
  isSlow = false;
  /** Publishers wait until the store has written more. */
  isCongested = false;
  readonly store: SessionStore;
  #waiting: ((now: number) => void)[] = [];

  constructor() {
    const isCongested = (): boolean => this.isCongested;
    this.store = {
      ...memoryStore,
      durable: true,
      get congested() {
        return isCongested();
      },
      whenDurable: (done) => {
        if (!this.isSlow) return 'durable';
        this.#waiting.push(done);
        return 'pending';
      },
    };
  }

  /** The store is fast again and answers all callers. */
  answer(now: number): void {
    this.isSlow = false;
    this.isCongested = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(now);
  }
}

test('Keep Alive of a client that waited for the disk begins with the answer of the disk', () => {
  const slow = new SlowStore();
  const world = new World({}, { store: slow.store });
  const client = world.connect('a', { version: 4, clean: false, keepAlive: 10 });
  slow.isSlow = slow.isCongested = true;
  client.send(wire.publish(4, { topic: 't', payload: 'x', qos: 1, id: 1 }));
  client.expectNothing();
  // No other event moves the broker's time before the answer.
  world.now += 60_000;
  slow.answer(world.now);
  assert.equal(client.expect('puback').id, 1);
  world.advance(14_000);
  client.expectNothing();
  world.advance(2000);
  assert.ok(client.closed, 'its own silence still ends the connection');
});

test('a QoS 2 message that waited for the disk when the connection ended comes without DUP on the next', () => {
  const slow = new SlowStore();
  const world = new World({}, { store: slow.store });
  const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
  const first = world.connect('sub', session);
  first.subscribe([{ filter: 't', qos: 2 }]);
  slow.isSlow = true;
  world.connect('pub').send(wire.publish(5, { topic: 't', payload: 'x', qos: 2, id: 1 }));
  first.expectNothing();
  first.lose();
  slow.answer(world.now);
  const second = world.connect('sub', session);
  const message = second.inbox[0];
  assert.deepEqual([message?.payload, message?.dup], ['x', false]);
  assert.deepEqual(second.payloads(), ['x']);
});

test('a client that waits for the disk is not read, and its bytes are processed in order afterwards', () => {
  const slow = new SlowStore();
  const world = new World({}, { store: slow.store });
  const client = world.connect('a', { version: 4, clean: false });
  slow.isSlow = slow.isCongested = true;
  const packets = [1, 2, 3].map((id) => wire.publish(4, { topic: 't', payload: '', qos: 1, id }));
  client.send(Buffer.concat(packets));
  assert.ok(client.isPaused);
  client.expectNothing();
  slow.answer(world.now);
  assert.deepEqual(
    client.inbox.map(({ type, id }) => [type, id]),
    [1, 2, 3].map((id) => ['puback', id]),
  );
  assert.ok(!client.isPaused);
});
