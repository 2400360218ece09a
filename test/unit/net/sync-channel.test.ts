// The adapter on real loopback sockets: that core, socket, clock and timer fit together.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { afterEach, test } from 'node:test';
import { SyncChannel, type SyncChannelOptions } from '../../../src/net/sync-channel.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import type { Peer } from '../../../src/shared/peer.ts';
import {
  payloadOf,
  publishPacket,
  syncKeys,
  topicOf,
  viewOf,
} from '../../support/sync-fixtures.ts';

const open: SyncChannel[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((channel) => channel.close()));
});

interface Station {
  readonly channel: SyncChannel;
  readonly peer: Peer;
  readonly inbox: EventEmitter;
}

async function station(
  name: string,
  bootId: bigint,
  options: Partial<SyncChannelOptions> = {},
): Promise<Station> {
  const inbox = new EventEmitter();
  const channel = await SyncChannel.open({
    bootId,
    keys: await syncKeys('token'),
    encrypt: false,
    bind: '127.0.0.1',
    port: 0,
    topics: ['#'],
    queueLength: 1024,
    queuePolicy: 0,
    log: silentLogger,
    deliver: (view, from) => {
      inbox.emit('message', {
        from,
        topic: topicOf(view).toString(),
        payload: payloadOf(view).toString(),
      });
    },
    ...options,
  });
  open.push(channel);
  return { channel, peer: { name, bootId, endpoint: channel.local }, inbox };
}

function publish(from: Station, topic: string, payload: string): void {
  const view = viewOf(publishPacket({ topic, payload }, 4), 4);
  from.channel.forward(view, topicOf(view));
}

test('a message that is published on one node arrives on its two peers', async () => {
  const a = await station('a', 1n);
  const b = await station('b', 2n);
  const c = await station('c', 3n);
  a.channel.setPeers([b.peer, c.peer]);
  b.channel.setPeers([a.peer, c.peer]);
  c.channel.setPeers([a.peer, b.peer]);
  const arrivals = [once(b.inbox, 'message'), once(c.inbox, 'message')];
  publish(a, 'room/1', 'warm');
  for (const [message] of await Promise.all(arrivals)) {
    assert.deepEqual(message, { from: 'a', topic: 'room/1', payload: 'warm' });
  }
});

test('with encryption the payload is not readable on the wire and arrives all the same', async () => {
  const a = await station('a', 1n, { encrypt: true });
  const b = await station('b', 2n, { encrypt: true });
  a.channel.setPeers([b.peer]);
  b.channel.setPeers([a.peer]);
  const arrival = once(b.inbox, 'message');
  publish(a, 'room/1', 'secret');
  assert.deepEqual((await arrival)[0], { from: 'a', topic: 'room/1', payload: 'secret' });
});
