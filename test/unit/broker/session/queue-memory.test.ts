// -queue-memory, the bound on all queues together: what counts, and that it is released.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrokerOptions } from '../../../../src/broker/options.ts';
import { type TestClient, World } from '../../../support/mqtt-world.ts';
import { seededRandom } from '../../../support/random.ts';

const EXPIRY = { sessionExpiryInterval: 60 };
const KILOBYTE = 'x'.repeat(1000);

/** Sessions s0, s1, ... of absent clients; each subscribes to a topic of its own and to `all`. */
function worldOfAbsent(count: number, options: Partial<BrokerOptions>): World {
  const world = new World(options);
  for (let i = 0; i < count; i++) {
    const client = world.connect(`s${i}`, { properties: EXPIRY });
    client.subscribe([`own/${i}`, 'all']);
    client.lose();
  }
  return world;
}

test('the queues of all sessions together stay within -queue-memory', () => {
  const world = worldOfAbsent(200, { queueMemoryBytesMax: 100_000 });
  const publisher = world.connect('p');
  for (let i = 0; i < 200; i++) publisher.publish(`own/${i}`, KILOBYTE, { qos: 1 });
  const { stats, queueMemory } = world.broker.context;
  assert.ok(queueMemory.bytes <= 100_000);
  assert.ok(queueMemory.deliveries > 30);
  assert.equal(stats.publishDropped, 200 - queueMemory.deliveries);
  const online = world.connect('online');
  online.subscribe('all');
  publisher.publish('all', KILOBYTE, { qos: 1 });
  assert.deepEqual(
    online.payloads(),
    [KILOBYTE],
    'a connected client gets messages that no queue takes',
  );

  const first = world.connect('s0', { clean: false, properties: EXPIRY });
  assert.equal(first.messages().length, 1);
  first.lose();
  publisher.publish('own/0', KILOBYTE, { qos: 1 });
  const again = world.connect('s0', { clean: false });
  assert.equal(again.messages().length, 1, 'what was taken has made room');
});

test('with -queue-drop=oldest a client keeps its newest messages when the node is full', () => {
  const options = { queueMemoryBytesMax: 10_000, queueDrop: 'oldest' } as const;
  const world = worldOfAbsent(1, options);
  const publisher = world.connect('p');
  for (let i = 0; i < 30; i++) publisher.publish('own/0', `${i} ${KILOBYTE}`, { qos: 1 });
  const kept = world.connect('s0', { clean: false }).payloads();
  assert.ok(kept.length > 4 && kept.length < 10, `${kept.length} kept`);
  assert.ok(kept.at(-1)?.startsWith('29 '));
});

test('messages without an acknowledgement count, whatever their size, and stay within the bound', () => {
  for (const bytes of [1, 500, 5000]) {
    const world = new World({ queueMemoryBytesMax: 100_000 });
    const publisher = world.connect('p');
    for (let i = 0; i < 10; i++) {
      world.connect(`s${i}`).subscribe(`own/${i}`);
      for (let k = 0; k < 50; k++) publisher.publish(`own/${i}`, 'x'.repeat(bytes), { qos: 1 });
    }
    const { queueMemory, stats } = world.broker.context;
    assert.ok(queueMemory.bytes > 90_000 && queueMemory.bytes < 115_000, `${queueMemory.bytes}`);
    assert.ok(stats.publishDropped > 300, `${stats.publishDropped}`);
  }
});

test('a connected client that acknowledges gets its messages although the node is full', () => {
  const world = new World({ queueMemoryBytesMax: 100_000 });
  const publisher = world.connect('p');
  const silent = world.connect('silent');
  silent.subscribe('all');
  const client = world.connect('client');
  client.subscribe('all');
  for (let i = 0; i < 100; i++) publisher.publish('all', 'x'.repeat(1200), { qos: 1 });
  client.messages();
  for (let i = 0; i < 20; i++) {
    publisher.publish('all', `${i}`, { qos: 1 });
    assert.deepEqual(client.payloads(), [`${i}`]);
  }
});

test('the bytes of a message in many queues count once', () => {
  const world = worldOfAbsent(100, {});
  world.connect('p').publish('all', 'x'.repeat(100_000), { qos: 1 });
  const { queueMemory } = world.broker.context;
  assert.equal(queueMemory.deliveries, 100);
  assert.ok(queueMemory.bytes > 100_000 && queueMemory.bytes < 120_000, `${queueMemory.bytes}`);
});

test('nothing stays counted after all sessions have ended, whatever happened to their messages', () => {
  const random = seededRandom(7);
  const below = (limit: number): number => Math.floor(random() * limit);
  const options = { queueMessagesMax: 20, queueMemoryBytesMax: 20_000, inflightMax: 5 };
  for (const queueDrop of ['oldest', 'newest'] as const) {
    const world = new World({ ...options, queueDrop });
    const clients = new Map<string, TestClient>();
    const connect = (name: string): void => {
      const properties = { ...EXPIRY, maximumPacketSize: random() < 0.2 ? 500 : 65_535 };
      const client = world.connect(name, { clean: random() < 0.1, properties });
      client.subscribe([`own/${name}`, 'all', '$share/g/all']);
      clients.set(name, client);
    };
    const actions: ((name: string, client: TestClient) => void)[] = [
      (_, client) => client.messages(),
      (_, client) => client.congest(random() < 0.5),
      (name, client) => {
        client.lose();
        clients.delete(name);
      },
      (name, client) => {
        client.leave(0, { sessionExpiryInterval: 0 });
        clients.delete(name);
      },
    ];
    const publisher = world.connect('p');
    for (let step = 0; step < 5000; step++) {
      const name = `${below(6)}`;
      const client = clients.get(name);
      if (random() < 0.7) {
        const topic = random() < 0.5 ? 'all' : `own/${name}`;
        const messageExpiryInterval = 1 + below(100);
        const fields = { qos: below(3), properties: { messageExpiryInterval } };
        publisher.publish(topic, 'x'.repeat(below(1000)), fields);
      } else if (client === undefined) connect(name);
      else actions[below(actions.length)]?.(name, client);
      if (random() < 0.01) world.advance(below(80_000));
    }
    const { queueMemory } = world.broker.context;
    for (const client of clients.values()) client.lose();
    world.advance(60_000);
    assert.equal(world.broker.sessionCount, 1);
    assert.deepEqual([queueMemory.deliveries, queueMemory.bytes], [0, 0]);
  }
});
