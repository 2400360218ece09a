// The adapter on real loopback sockets: that core, socket, clock and timer fit together.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { afterEach, type TestContext, test } from 'node:test';
import { SyncChannel, type SyncChannelOptions } from '../../../../src/net/cluster/sync-channel.ts';
import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  Opener,
  Sealer,
} from '../../../../src/shared/envelope.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import type { Peer } from '../../../../src/shared/peer.ts';
import { nonceOf, WELCOME_BYTES, writeWelcome } from '../../../../src/sync/body-codec.ts';
import {
  payloadOf,
  publishPacket,
  syncKeys,
  topicOf,
  viewOf,
} from '../../../support/sync-fixtures.ts';

/** Offset of the body's kind in a signed datagram, and the kind of data. */
const KIND_AT = 24;
const KIND_DATA = 1;
/** Size of a heartbeat's datagram. */
const HEARTBEAT_BYTES = 104;

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
    datagramBytes: 1400,
    queueLength: 1024,
    queuePolicy: 'discard-newest',
    expectsPeers: false,
    joinWaitMs: 0,
    isSuspect: () => false,
    log: silentLogger,
    handler: {
      publishFromPeer: (view, _now, { name: from }) => {
        inbox.emit('message', {
          from,
          topic: topicOf(view).toString(),
          payload: payloadOf(view).toString(),
        });
      },
    },
    ...options,
  });
  open.push(channel);
  return { channel, peer: { name, bootId, endpoint: channel.local }, inbox };
}

function publish(from: Station, topic: string, payload: string): void {
  const view = viewOf(publishPacket({ topic, payload }, 4), 4);
  from.channel.forward(view, topicOf(view), 'client');
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

/** The answer of peer 2 to a hello. */
async function welcomeTo(hello: Buffer, encrypt: boolean): Promise<Buffer> {
  const keys = await syncKeys('token');
  const opened = new Opener(keys, encrypt).open(hello);
  assert.ok(typeof opened !== 'string', 'the hello verifies');
  const welcome = Buffer.alloc(ENVELOPE_BYTES + WELCOME_BYTES);
  const start = { sequence: 1, number: 1 };
  const nonce = nonceOf(opened.body);
  const end = writeWelcome(welcome, ENVELOPE_HEADER_BYTES, nonce, hello.length, start);
  return new Sealer(keys, 2n, encrypt).seal(welcome, end);
}

/** A bare socket in the place of a's only peer; it has answered the hello. */
async function listenTo(t: TestContext, a: Station, encrypt = false): Promise<dgram.Socket> {
  const listener = dgram.createSocket('udp4');
  t.after(() => listener.close());
  listener.bind(0, '127.0.0.1');
  await once(listener, 'listening');
  const endpoint = { address: '127.0.0.1', port: listener.address().port };
  a.channel.setPeers([{ name: 'b', bootId: 2n, endpoint }]);
  const [hello] = (await once(listener, 'message')) as [Buffer];
  listener.send(await welcomeTo(hello, encrypt), a.peer.endpoint.port, '127.0.0.1');
  return listener;
}

/** What a listener on the network sees of a message: the bytes of its datagram. */
async function overheard(t: TestContext, encrypt: boolean): Promise<Buffer> {
  const a = await station('a', 1n, { encrypt });
  const listener = await listenTo(t, a, encrypt);
  publish(a, 'room/1', 'secret');
  return nextData(listener, encrypt);
}

/** The next datagram that is no heartbeat; encrypted ones are recognised by their size. */
async function nextData(listener: dgram.Socket, encrypt = false): Promise<Buffer> {
  for (;;) {
    const [datagram] = (await once(listener, 'message')) as [Buffer];
    if (encrypt ? datagram.length < HEARTBEAT_BYTES : datagram[KIND_AT] === KIND_DATA) {
      return datagram;
    }
  }
}

test('signed messages are readable on the wire, encrypted ones are not', async (t) => {
  assert.ok((await overheard(t, false)).includes('secret'));
  const encrypted = await overheard(t, true);
  assert.ok(!encrypted.includes('secret') && !encrypted.includes('room'));
});

test('encrypted messages arrive', async () => {
  const a = await station('a', 1n, { encrypt: true });
  const b = await station('b', 2n, { encrypt: true });
  a.channel.setPeers([b.peer]);
  b.channel.setPeers([a.peer]);
  const arrival = once(b.inbox, 'message');
  publish(a, 'room/1', 'secret');
  assert.deepEqual((await arrival)[0], { from: 'a', topic: 'room/1', payload: 'secret' });
});

test('messages of one turn leave in one datagram, those of two turns in two', async (t) => {
  const a = await station('a', 1n);
  const listener = await listenTo(t, a);
  for (let i = 0; i < 5; i++) publish(a, 't', 'together');
  await nextData(listener);
  publish(a, 't', 'alone');
  await nextData(listener);
  const [status] = [...a.channel.peers()];
  assert.equal(status?.counters.sentMessages, 6);
  assert.equal(status?.counters.sentDatagrams, 2);
});

test('a peer that starts later gets further hellos until it answers, and its messages arrive', async () => {
  const a = await station('a', 1n);
  const port = a.peer.endpoint.port;
  await a.channel.close();
  const b = await station('b', 2n);
  b.channel.setPeers([a.peer]);
  const again = await station('a', 1n, { port });
  again.channel.setPeers([b.peer]);
  const arrival = once(b.inbox, 'message');
  publish(again, 't', 'hello');
  assert.equal((await arrival)[0].payload, 'hello');
});

test("a message behind a lost one arrives after the hold, by the channel's own timer", async (t) => {
  const a = await station('a', 1n);
  const b = await station('b', 2n);
  // a reaches b through a relay that swallows one datagram with a message when it is asked to.
  const relay = dgram.createSocket('udp4');
  t.after(() => relay.close());
  let swallowsNext = false;
  relay.on('message', (datagram) => {
    if (swallowsNext && datagram[KIND_AT] === KIND_DATA) swallowsNext = false;
    else relay.send(datagram, b.peer.endpoint.port, '127.0.0.1');
  });
  relay.bind(0, '127.0.0.1');
  await once(relay, 'listening');
  const endpoint = { address: '127.0.0.1', port: relay.address().port };
  a.channel.setPeers([{ ...b.peer, endpoint }]);
  b.channel.setPeers([a.peer]);
  const first = once(b.inbox, 'message');
  publish(a, 't', 'first');
  await first;
  const counters = () => [...b.channel.peers()][0]!.counters;
  const until = async (isDone: () => boolean): Promise<void> => {
    while (!isDone()) await new Promise((next) => setImmediate(next));
  };
  // Heartbeats are sent at the same times both ways, and the next ones are due much later than the end
  // of a hold. If none passes before the message arrives, the hold has set the timer. On a busy machine
  // one may pass nevertheless: such an attempt proves nothing.
  const beats = () => [counters().sentHeartbeats, counters().receivedHeartbeats].join();
  const isOwnTimer = async (): Promise<boolean> => {
    const { sentHeartbeats, receivedHeartbeats } = { ...counters() };
    await until(
      () =>
        counters().sentHeartbeats > sentHeartbeats &&
        counters().receivedHeartbeats > receivedHeartbeats,
    );
    const before = beats();
    swallowsNext = true;
    publish(a, 't', 'swallowed');
    await until(() => !swallowsNext);
    const arrival = once(b.inbox, 'message');
    publish(a, 't', 'behind it');
    assert.equal((await arrival)[0].payload, 'behind it');
    return beats() === before;
  };
  let attempts = 1;
  while (!(await isOwnTimer())) {
    attempts += 1;
    assert.ok(attempts < 20, 'it comes with a heartbeat only');
  }
  assert.equal(counters().lostMessages, attempts);
});
