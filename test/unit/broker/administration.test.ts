import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../../support/mqtt-world.ts';

test('the messages of a connection are counted in both directions, and begin anew with the next one', () => {
  const world = new World();
  const counts = (id: string) => {
    const { publishReceived, publishSent } = world.broker.administration.session(id)!;
    return [publishReceived, publishSent];
  };
  const session = { properties: { sessionExpiryInterval: 600 } };
  const thermometer = world.connect('thermometer', session);
  const display = world.connect('display');
  display.subscribe([{ filter: 'home/#', qos: 1 }]);
  for (const qos of [0, 1, 2] as const) thermometer.publish('home/t7', '21.4', { qos });
  assert.deepEqual(counts('thermometer'), [3, 0]);
  assert.deepEqual(counts('display'), [0, 3]);
  thermometer.leave();
  assert.deepEqual(counts('thermometer'), [null, null]);
  world.connect('thermometer', { clean: false, ...session });
  assert.deepEqual(counts('thermometer'), [0, 0]);
});
