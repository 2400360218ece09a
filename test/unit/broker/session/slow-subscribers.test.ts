import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { World } from '../../../support/mqtt-world.ts';

function listOf(world: World) {
  return world.broker
    .slowSubscribers(world.now)
    .map(({ clientId, messages, isOnline }) => [clientId, messages, isOnline]);
}

test('the clients with the longest queues are listed, with the time since when', () => {
  const world = new World();
  const slow = world.connect('slow');
  slow.subscribe('t');
  slow.congest(true);
  const absent = world.connect('absent', { properties: { sessionExpiryInterval: 600 } });
  absent.subscribe([{ filter: 'u', qos: 1 }]);
  absent.lose();
  const publisher = world.connect('publisher');
  for (let n = 0; n < 5; n++) publisher.publish('t', 'x'.repeat(100));
  publisher.publish('u', 'x', { qos: 1 });
  const start = world.now;
  assert.deepEqual(listOf(world), [
    ['slow', 5, true],
    ['absent', 1, false],
  ]);
  world.advance(20_000);
  assert.equal(world.broker.slowSubscribers(world.now)[0]?.since, start);
  slow.congest(false);
  assert.deepEqual(listOf(world), [['absent', 1, false]]);
});

test('the list is bounded, whatever the number of clients', () => {
  const world = new World();
  for (let n = 0; n < 50; n++) {
    const client = world.connect(`c${n}`);
    client.subscribe(`t${n}`);
    client.congest(true);
  }
  const publisher = world.connect('publisher');
  for (let n = 0; n < 50; n++) publisher.publish(`t${n}`, 'x'.repeat(10 * n + 10));
  const list = listOf(world);
  assert.equal(list.length, 20);
  assert.equal(list[0]?.[0], 'c49');
  assert.equal(list[19]?.[0], 'c30');
});

test('a subscriber that stays slow has a line when that is clear, and one when it is over', () => {
  const lines: string[] = [];
  const note = (event: string): void => {
    if (event.startsWith('subscriber')) lines.push(event);
  };
  const log = { ...silentLogger, warn: note, info: note };
  const world = new World({}, { log });
  const slow = world.connect('slow');
  slow.subscribe('t');
  slow.congest(true);
  world.connect('publisher').publish('t', 'x');
  for (let n = 0; n < 6; n++) {
    listOf(world);
    world.advance(10_000);
  }
  assert.deepEqual(lines, ['subscriber slow: its queue does not empty']);
  slow.congest(false);
  listOf(world);
  assert.deepEqual(lines.slice(1), ['subscriber no longer slow']);
});
