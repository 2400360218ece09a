// Where each client is, as the nodes agree on it when it moves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientCluster } from '../../../support/client-cluster.ts';

test('a node that loses a client to another one writes nothing of it', () => {
  const cluster = new ClientCluster(3, 7);
  const [before, after] = cluster.nodes;
  assert.ok(before && after);
  cluster.pass(2000);
  before.world.connect('device');
  cluster.pass(1000);
  assert.equal(after.clients.writerOf('device'), before.bootId);
  after.world.connect('device');
  const written = after.clients.replica.map.get('device');
  cluster.pass(1000);
  assert.equal(before.clients.counters.takenOver, 1);
  for (const { clients } of cluster.nodes) {
    const { writer, sequence, hasValue } = clients.replica.map.get('device')!;
    assert.deepEqual([writer, sequence, hasValue], [after.bootId, written?.sequence, true]);
  }
  assert.equal(after.world.broker.isConnected('device'), true);
  assert.equal(before.world.broker.isConnected('device'), false);
});
