// The group on real loopback sockets: nodes on addresses of their own with one port, as boxes on a network.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { platform } from 'node:os';
import { afterEach, test } from 'node:test';
import type { HostLink } from '../../../../src/net/cluster/links.ts';
import { groupAddress, MulticastGroup } from '../../../../src/net/cluster/multicast-group.ts';
import { SyncChannel } from '../../../../src/net/cluster/sync-channel.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import type { Peer } from '../../../../src/shared/peer.ts';
import { publishPacket, syncKeys, topicOf, viewOf } from '../../../support/sync-fixtures.ts';

const skip = platform() !== 'linux' && 'only Linux has all of 127.0.0.0/8';
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

/** Says when a message has arrived or multicast has reached a peer. */
const changes = new EventEmitter();

interface Station {
  readonly channel: SyncChannel;
  readonly peer: Peer;
  readonly topics: string[];
}

async function station(index: number, port: number): Promise<Station> {
  const topics: string[] = [];
  const bootId = BigInt(index);
  const channel = await SyncChannel.open({
    bootId,
    keys: await syncKeys('token'),
    encrypt: false,
    bind: `127.0.0.${index}`,
    port,
    isMulticast: true,
    topics: ['#'],
    datagramBytes: 1400,
    queueLength: 1024,
    queuePolicy: 'discard-newest',
    expectsPeers: false,
    joinWaitMs: 0,
    isSuspect: () => false,
    log: silentLogger,
    onLinkEvent: () => void changes.emit('change'),
    handler: {
      publishFromPeer: (view) => {
        topics.push(topicOf(view).toString());
        changes.emit('change');
      },
    },
  });
  open.push(channel);
  return { channel, peer: { name: `n${index}`, bootId, endpoint: channel.local }, topics };
}

async function stations(count: number): Promise<Station[]> {
  const first = await station(2, 0);
  const { port } = first.channel.local;
  const others = Array.from({ length: count - 1 }, (_, i) => station(i + 3, port));
  const all = [first, ...(await Promise.all(others))];
  for (const one of all) {
    one.channel.setPeers(all.filter((other) => other !== one).map(({ peer }) => peer));
  }
  return all;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await once(changes, 'change');
}

function publish({ channel }: Station, topic: string): void {
  const view = viewOf(publishPacket({ topic }, 4), 4);
  channel.forward(view, topicOf(view), 'client');
}

const isByMulticast = ({ channel }: Station) =>
  [...channel.peers()].every(({ delivery }) => delivery === 'multicast');

test('nodes on one port get each message once, by multicast', { skip }, async () => {
  const all = await stations(3);
  await until(() => all.every(isByMulticast));
  const [sender, ...receivers] = all as [Station, ...Station[]];
  const topics = Array.from({ length: 20 }, (_, i) => `t/${i}`);
  for (const topic of topics) publish(sender, topic);
  await until(() => receivers.every((one) => one.topics.length >= topics.length));
  for (const receiver of receivers) assert.deepEqual(receiver.topics, topics);
  assert.ok(sender.channel.counters.multicastDatagrams > 0);
  assert.deepEqual(sender.topics, []);
  assert.equal(sender.channel.counters.droppedDatagrams.unknownSender, 0, 'its own come not back');
});

test('what strangers send to the group is dropped and counted', { skip }, async (t) => {
  const all = await stations(3);
  await until(() => all.every(isByMulticast));
  const [{ channel }] = all as [Station];
  const { id } = (await syncKeys('token')).signing;
  const stranger = dgram.createSocket('udp4');
  t.after(() => stranger.close());
  stranger.bind(0, '127.0.0.1');
  await once(stranger, 'listening');
  stranger.setMulticastInterface('127.0.0.1');
  const rubbish = Buffer.alloc(100, 0x53);
  const group = groupAddress(id, false);
  await new Promise((sent) => stranger.send(rubbish, channel.local.port, group, sent));
  const receivers = all.slice(1);
  publish(all[0]!, 'behind/it');
  await until(() => receivers.every(({ topics }) => topics.includes('behind/it')));
  for (const receiver of receivers) {
    assert.equal(receiver.channel.counters.droppedDatagrams.foreign, 1);
  }
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
  const joined: string[] = [];
  const group = new MulticastGroup({
    bootId: 1n,
    keys: await syncKeys('token'),
    bind,
    port: 7947,
    log: silentLogger,
    join: (_, through) => void joined.push(through),
    onDatagram: () => undefined,
    onDrain: () => undefined,
    listLinks: () => links,
  });
  open.push(group);
  return { group, joined };
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
  assert.equal(networkOf('127.0.0.1'), '127.0.0.1 7947');
  assert.deepEqual([...new Set(joined)], ['10.1.2.1', '10.1.0.1', '::%eth0', '127.0.0.1']);
});

test('a node with -bind uses loopback only if it is bound to it', async () => {
  const elsewhere = await groupOf([link('10.1.2.1', 24, 'eth0')], '10.1.2.1');
  assert.equal(elsewhere.group.networkOf({ address: '127.0.0.1', port: 7947 }), undefined);
});
