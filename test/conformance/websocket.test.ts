// MQTT over WebSocket (chapter 6 of both versions): a real listener, and a client that chooses its own
// frames.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { Broker } from '../../src/broker/broker.ts';
import { Listener, ListenerStats } from '../../src/net/clients/listener.ts';
import { PreConnectLimit } from '../../src/net/clients/pre-connect-limit.ts';
import { SocketLimit } from '../../src/net/clients/socket-limit.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import * as wire from '../support/wire.ts';

async function listen(t: TestContext): Promise<string> {
  const broker = new Broker({
    options: { sysIntervalSeconds: 0 },
    random: Math.random,
    now: performance.now(),
    log: silentLogger,
  });
  const listener = await Listener.open(
    {
      id: 'test',
      place: 'test',
      protocol: 'ws',
      bind: '127.0.0.1',
      port: 0,
      connectionsMax: 10,
      maximumQos: 2,
      rates: {
        clientMessages: Number.POSITIVE_INFINITY,
        clientBytes: Number.POSITIVE_INFINITY,
        listenerMessages: Number.POSITIVE_INFINITY,
        listenerBytes: Number.POSITIVE_INFINITY,
        burstSeconds: 1,
      },
      connectRate: Number.POSITIVE_INFINITY,
      packetBytesMax: 100_000,
      connectTimeoutSeconds: 10,
      anonymous: undefined,
      passwordFile: undefined,
      aclFile: undefined,
      tokenKeyFile: undefined,
      authUrl: undefined,
      proxyProtocol: false,
      paths: ['/mqtt'],
      origins: undefined,
      tls: undefined,
    },
    {
      broker,
      socketLimit: new SocketLimit(10, 0),
      preConnectLimit: new PreConnectLimit(),
      stats: new ListenerStats(),
    },
  );
  t.after(async () => {
    broker.shutdown(performance.now());
    await listener.close();
  });
  return `ws://127.0.0.1:${listener.local.port}/mqtt`;
}

interface Frame {
  data: Buffer;
  isBinary: boolean;
}

/** Opens a WebSocket and collects its frames. */
async function open(url: string): Promise<{ socket: WebSocket; frames: Frame[] }> {
  const socket = new WebSocket(url, ['other', 'mqtt']);
  const frames: Frame[] = [];
  socket.on('message', (data, isBinary) => frames.push({ data: data as Buffer, isBinary }));
  await once(socket, 'open');
  return { socket, frames };
}

/** Resolves with the packets once `count` of them have arrived. */
async function packets(
  { socket, frames }: { socket: WebSocket; frames: Frame[] },
  version: wire.Version,
  count: number,
): Promise<wire.Packet[]> {
  for (;;) {
    const bytes = Buffer.concat(frames.map((frame) => frame.data));
    const found = wire.decode(version, bytes).packets;
    if (found.length >= count) return found;
    await once(socket, 'message');
  }
}

test('[MQTT3-6.0.0-4] [MQTT5-6.0.0-4] the selected subprotocol is mqtt, and a client without it is refused', async (t) => {
  const url = await listen(t);
  const { socket } = await open(url);
  assert.equal(socket.protocol, 'mqtt');
  socket.terminate();
  const stranger = new WebSocket(url, ['other']);
  const [error] = await once(stranger, 'error');
  assert.match(String(error), /400/);
});

test('[MQTT3-6.0.0-2] [MQTT5-6.0.0-2] packets and frames need not be aligned', async (t) => {
  const url = await listen(t);
  for (const version of [4, 5] as const) {
    const bytes = Buffer.concat([
      wire.connect({ version, clientId: `c${version}` }),
      wire.subscribe(version, 1, ['t']),
      wire.PINGREQ,
    ]);
    for (const step of [1, 3, bytes.length]) {
      const client = await open(url);
      for (let at = 0; at < bytes.length; at += step) {
        client.socket.send(bytes.subarray(at, at + step));
      }
      const types = (await packets(client, version, 3)).map((packet) => packet.type);
      assert.deepEqual(types, ['connack', 'suback', 'pingresp']);
      client.socket.terminate();
    }
    const client = await open(url);
    client.socket.send(bytes.subarray(0, 5), { fin: false });
    client.socket.send(bytes.subarray(5), { fin: true });
    assert.equal((await packets(client, version, 3)).length, 3, 'a message in fragments');
    client.socket.terminate();
  }
});

test('[MQTT3-6.0.0-1] [MQTT5-6.0.0-1] the broker sends binary frames, and a text frame ends the connection', async (t) => {
  const url = await listen(t);
  for (const version of [4, 5] as const) {
    const client = await open(url);
    client.socket.send(wire.connect({ version, clientId: 'a' }));
    await packets(client, version, 1);
    assert.ok(client.frames.every((frame) => frame.isBinary));
    client.socket.send(wire.PINGREQ.toString('latin1'), { binary: false });
    await once(client.socket, 'close');
    assert.equal(client.frames.length, 1, 'it was not taken as a packet');
  }
});
