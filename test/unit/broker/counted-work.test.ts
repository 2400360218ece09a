// What a client makes the node do beside deliveries ends its turn as well.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../../conformance/harness.ts';
import * as wire from '../../conformance/wire.ts';

/** Turns of the event loop that the work takes, the first one included. */
function turnsOf(world: World, work: () => void): number {
  const { broker } = world;
  let pending = false;
  broker.onDeferred = () => {
    pending = true;
  };
  work();
  let turns = 1;
  for (; pending; turns++) {
    pending = false;
    broker.runDeferred(world.now);
  }
  return turns;
}

function publishTo(topics: readonly string[]): Buffer {
  return Buffer.concat(topics.map((topic) => wire.publish(5, { topic, payload: '' })));
}

for (const [what, last, isTaken] of [
  ['many subscriptions match', 'z', true],
  ['nobody subscribed', 'nobody', false],
] as const) {
  test(`finding the route of a new topic is part of the turn, where ${what}`, () => {
    const world = new World();
    const levels = 9;
    const forms = Array.from({ length: 1 << levels }, (_, i) =>
      Array.from({ length: levels }, (_, level) => ((i >> level) & 1 ? '+' : 'a')).join('/'),
    );
    const subscriber = world.connect('s');
    subscriber.subscribe(forms.map((form) => `${form}/z/+`));
    const publisher = world.connect('p');
    const topics = Array.from({ length: 20 }, (_, i) => `${'a/'.repeat(levels)}${last}/${i}`);

    const turns = turnsOf(world, () => publisher.send(publishTo(topics)));
    assert.ok(turns > 2, `${turns} turns`);
    assert.equal(subscriber.messages().length, isTaken ? topics.length : 0);
    const again = turnsOf(world, () => publisher.send(publishTo(topics)));
    assert.equal(again, 1, 'what is known costs nothing');
  });
}
