import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reachHost } from '../../../src/doctor/host-reach.ts';

test('an address without a route is down, and ends no process', async () => {
  // Without the right to broadcast, and on a machine without a network, the system refuses to connect.
  const reach = await reachHost({ address: '255.255.255.255', port: 9 });
  assert.equal(reach.state, 'down');
});
