// What the doctor says of the beacon of a running node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterChecks } from '../../../src/doctor/cluster-checks.ts';
import type { DoctorContext } from '../../../src/doctor/context.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import type { BeaconView } from '../../../src/net/cluster/beacon-channel.ts';

async function findingsOf(view: Partial<BeaconView> | undefined): Promise<Finding[]> {
  const check = clusterChecks.find(({ id }) => id === 'beacon');
  const beacon = view && { addresses: [], strangers: [], sendFaults: [], ...view };
  const context = { cluster: async () => ({ beacon: () => beacon }) };
  return [...((await check?.run(context as unknown as DoctorContext)) ?? [])];
}

test('a node that can call on no network is a no-beacon warning', async () => {
  const [finding] = await findingsOf({});
  assert.equal(finding?.fault, 'no-beacon');
  assert.match(finding.text, /no network/);
});

test('a network on which nothing leaves is named with its reason', async () => {
  const sendFaults = [{ address: '192.168.1.100', reason: 'no route' }];
  const findings = await findingsOf({ addresses: ['192.168.1.100', '10.0.0.1'], sendFaults });
  const faults = findings.filter(({ fault }) => fault === 'no-beacon');
  assert.equal(faults.length, 1);
  assert.match(faults[0]!.text, /192\.168\.1\.100: no route/);
});

test('a node without a beacon has nothing to say of it', async () => {
  assert.deepEqual(await findingsOf(undefined), []);
});
