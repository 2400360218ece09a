// Which networks lead to a node, and which group is used there. test/integration/multicast.test.ts sends datagrams.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { HostLink } from '../../../../src/net/cluster/links.ts';
import { groupAddress, MulticastGroup } from '../../../../src/net/cluster/multicast-group.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { syncKeys } from '../../../support/sync-fixtures.ts';

const open: MulticastGroup[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

test('the group comes from the key id, inside the scope of one organization', async () => {
  assert.equal(groupAddress(0xb9af9604, false), '239.195.150.4');
  assert.equal(groupAddress(0xb9af9604, true), 'ff15::5348:b9af:9604');
  assert.equal(groupAddress(0x00000001, true), 'ff15::5348:8000:1');
  const ids = await Promise.all(
    ['one', 'two'].map(async (one) => (await syncKeys(one)).signing.id),
  );
  assert.notEqual(groupAddress(ids[0]!, false), groupAddress(ids[1]!, false));
});

async function groupOf(links: readonly HostLink[], bind?: string) {
  const groups: string[] = [];
  const joined: string[] = [];
  const group = new MulticastGroup({
    keys: await syncKeys('one'),
    bind,
    log: silentLogger,
    join: (address, through) => {
      groups.push(address);
      joined.push(through);
    },
    onDrain: () => undefined,
    listLinks: () => links,
  });
  open.push(group);
  return { group, groups, joined };
}

const link = (address: string, prefixBits: number, zone: string): HostLink => ({
  ...{ interfaceName: zone, zone, address, prefixBits },
  isIpv6: address.includes(':'),
  broadcast: undefined,
});

test('a node is reached on the smallest network that its address is in', async () => {
  const links = [
    link('10.1.0.1', 8, 'eth0'),
    link('10.1.2.1', 24, 'docker0'),
    link('fd00::1', 64, 'eth0'),
  ];
  const { group, joined } = await groupOf(links);
  const networkOf = (address: string, port = 7947) => group.networkOf({ address, port });
  assert.equal(networkOf('10.1.2.9'), '10.1.2.1 7947');
  assert.equal(networkOf('10.9.9.9'), '10.1.0.1 7947');
  assert.equal(networkOf('fd00::9'), 'fd00::1 7947');
  assert.notEqual(networkOf('10.9.9.9', 8000), networkOf('10.9.9.9'), 'another port');
  assert.equal(networkOf('192.168.1.1'), undefined, 'behind a router');
  assert.equal(networkOf('10.1.2.1'), undefined, 'this machine');
  assert.equal(networkOf('127.0.0.1'), undefined);
  assert.deepEqual([...new Set(joined)], ['10.1.2.1', '10.1.0.1', '::%eth0']);
});

test('a node with -bind sends to the group, and does not join it', async () => {
  const { group, joined } = await groupOf([link('10.1.2.1', 24, 'eth0')], '10.1.2.1');
  assert.equal(group.networkOf({ address: '10.1.2.9', port: 7947 }), '10.1.2.1 7947');
  assert.deepEqual(joined, []);
});

test('a node joins the groups of all its tokens', async () => {
  const keys = await syncKeys('one', 'two');
  const { group, groups } = await groupOf([link('10.1.2.1', 24, 'eth0')]);
  group.networkOf({ address: '10.1.2.9', port: 7947 });
  group.rekey(keys);
  assert.deepEqual(
    [...new Set(groups)],
    [...keys.accepted.keys()].map((id) => groupAddress(id, false)),
  );
});
