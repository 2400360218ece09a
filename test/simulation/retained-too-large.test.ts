// A retained message that is too large to cross, on two whole nodes on a virtual clock: the other node no
// longer has the older value, and its subscribers are not made to believe that a client has cleared it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestClient } from '../support/mqtt-world.ts';
import { Simulator, startCluster } from '../support/simulator.ts';
import { Site, type SiteNode } from '../support/site.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const LARGE = 'x'.repeat(5000);

interface Pair {
  readonly sim: Simulator;
  readonly far: SiteNode;
  readonly publisher: TestClient;
  /** At the other node; it keeps up with the retained messages of its node. */
  readonly mirror: TestClient;
  /** At the other node. */
  readonly subscriber: TestClient;
}

/** Two nodes that have both retained `small` on t, and clients that have seen it. */
async function pair(retainedSync: boolean): Promise<Pair> {
  const sim = new Simulator(1);
  const keys = await syncKeys('too-large');
  const site = new Site(sim, {
    ...{ keys, encrypt: false, forward: 'all', shared: 'node', largeBytes: 0, roaming: false },
    ...{ clientTakeover: false, retainedSync, datagramBytes: 1200, queueLength: 64 },
    ...{ queuePolicy: 'discard-newest', multicast: 'none', data: 'none' },
  });
  startCluster(sim, 2, 1, { application: site.application });
  sim.runUntil(() => sim.isConverged(), 60_000);
  sim.runFor(5000);
  const [near, far] = site.nodes;
  assert.ok(near !== undefined && far !== undefined);
  const publisher = near.world.connect('publisher');
  const mirror = far.world.connect('mirror');
  mirror.subscribe([{ filter: 't', qos: 1, retainAsPublished: true }]);
  const subscriber = far.world.connect('subscriber');
  subscriber.subscribe('t');
  publisher.publish('t', 'small', { retain: true });
  sim.runFor(2000);
  for (const client of [mirror, subscriber]) assert.deepEqual(client.payloads(), ['small']);
  return { sim, far, publisher, mirror, subscriber };
}

function retainedAt(node: SiteNode): string | undefined {
  return node.world.broker.retainedMessage('t')?.payload.toString();
}

for (const [how, retainedSync] of [
  ['with versions', true],
  ['without versions', false],
] as const) {
  test(`the value that a large one replaces goes from other nodes without a message (${how})`, async () => {
    const { sim, far, publisher, mirror, subscriber } = await pair(retainedSync);
    publisher.publish('t', LARGE, { retain: true });
    sim.runFor(5000);
    assert.equal(retainedAt(far), undefined);
    subscriber.expectNothing();
    assert.deepEqual(mirror.payloads(), ['']);

    publisher.publish('t', '', { retain: true });
    sim.runFor(5000);
    assert.deepEqual(subscriber.payloads(), [''], 'a client has cleared the topic');
  });
}

test('the same if the removal was lost on its way, and is repaired', async () => {
  const { sim, far, publisher, mirror, subscriber } = await pair(true);
  sim.isCut = () => true;
  publisher.publish('t', LARGE, { retain: true });
  sim.runFor(300);
  assert.equal(retainedAt(far), 'small');
  sim.isCut = () => false;
  sim.runFor(15_000);
  assert.equal(retainedAt(far), undefined);
  assert.equal(far.retained?.counters.repaired, 1);
  subscriber.expectNothing();
  assert.deepEqual(mirror.payloads(), ['']);
});

test('a clearing that was lost on its way reaches subscribers when it is repaired', async () => {
  const { sim, far, publisher, subscriber } = await pair(true);
  sim.isCut = () => true;
  publisher.publish('t', '', { retain: true });
  sim.runFor(300);
  sim.isCut = () => false;
  sim.runFor(15_000);
  assert.equal(retainedAt(far), undefined);
  assert.deepEqual(subscriber.payloads(), ['']);
});
