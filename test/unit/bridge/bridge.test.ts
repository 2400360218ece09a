// The bridge core between two brokers of ours: what crosses, in which form, and what a cut, a restart or
// a refusal of either side leaves undone. The clock is virtual.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BridgeWorld, bridgeOptions } from '../../support/bridge-world.ts';
import type { TestClient, World } from '../../support/mqtt-world.ts';

function watch(world: World): TestClient {
  const client = world.connect('watcher');
  client.subscribe([{ filter: '#', qos: 2 }]);
  return client;
}

/** Topic, payload and QoS of what has arrived. */
function arrived(client: TestClient): string[] {
  return client.messages().map(({ topic, payload, qos }) => `${topic} ${payload} ${qos}`);
}

for (const version of [4, 5] as const) {
  const name = version === 4 ? '3.1.1' : '5.0';

  test(`messages cross in both directions under the topics of their rules (${name})`, () => {
    const topics = ['up/# out 1', 'down/# in 1', 'x/# both 2 here/ there/'];
    const world = BridgeWorld.connected(bridgeOptions(topics, { version }));
    const far = watch(world.far);
    const near = watch(world.near);
    const device = world.near.connect('device');
    const office = world.far.connect('office');
    device.publish('up/t', 'a', { qos: 1 });
    device.publish('here/x/1', 'b', { qos: 2 });
    device.publish('other', 'c', { qos: 1 });
    office.publish('down/t', 'd', { qos: 1 });
    office.publish('there/x/2', 'e', { qos: 2 });
    world.settle();
    assert.deepEqual(arrived(far).sort(), [
      'down/t d 1',
      'there/x/1 b 2',
      'there/x/2 e 2',
      'up/t a 1',
    ]);
    assert.deepEqual(arrived(near).sort(), [
      'down/t d 1',
      'here/x/1 b 2',
      'here/x/2 e 2',
      'other c 1',
      'up/t a 1',
    ]);
    const { queued, inflight, dropped, oldestId } = world.session;
    assert.deepEqual([queued, inflight, dropped, oldestId], [0, 0, 0, 0]);
  });

  test(`a message never comes back to the side that it came from (${name})`, () => {
    const world = BridgeWorld.connected(bridgeOptions(['# both 2'], { version }));
    const far = watch(world.far);
    const near = watch(world.near);
    world.near.connect('device').publish('t', 'n', { qos: 2 });
    world.far.connect('office').publish('t', 'f', { qos: 2 });
    world.settle();
    for (const side of [far, near]) {
      assert.deepEqual(arrived(side).sort(), ['t f 2', 't n 2']);
    }
  });

  test(`what is published during a cut crosses afterwards, in order and once (${name})`, () => {
    const world = BridgeWorld.connected(bridgeOptions(['# out 2'], { version }));
    const far = watch(world.far);
    const device = world.near.connect('device');
    device.publish('t', '0', { qos: 2 });
    world.settle();
    world.cut();
    for (let i = 1; i <= 300; i++) device.publish('t', String(i), { qos: i % 2 === 0 ? 1 : 2 });
    world.advance(3_600_000);
    assert.equal(world.session.queued, 300);
    assert.deepEqual(far.payloads(), ['0']);
    world.restore();
    const payloads = far.payloads().map(Number);
    assert.deepEqual(
      payloads,
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
    assert.equal(world.session.inflight + world.session.queued, 0);
  });
}
