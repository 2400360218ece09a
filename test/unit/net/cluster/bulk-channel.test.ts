// Strangers at the TCP port of the bulk channel.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { BulkChannel } from '../../../../src/net/cluster/bulk-channel.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

const KEY = Buffer.alloc(32, 1);
const STRANGERS = 80;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

test('strangers that hold handshakes open keep no node out', { timeout: 60_000 }, async (t) => {
  const channel = new BulkChannel({
    bootId: 1n,
    publishBytesMax: 65_536,
    log: silentLogger,
    handler: { publishFromPeer: () => assert.fail('no node sends a message') },
    keys: { own: { identity: 'a', key: KEY }, accepted: new Map([['a', KEY]]) },
  });
  const port = await freePort();
  await channel.listen(port, '127.0.0.1');
  const strangers = Array.from({ length: STRANGERS }, () =>
    connect({ port, host: '127.0.0.1' }).on('error', () => undefined),
  );
  t.after(async () => {
    for (const stranger of strangers) stranger.destroy();
    await channel.close();
  });
  await Promise.all(strangers.map((stranger) => once(stranger, 'connect')));
  const node = connectTls({
    port,
    host: '127.0.0.1',
    ciphers: 'TLS_AES_128_GCM_SHA256',
    minVersion: 'TLSv1.3',
    pskCallback: () => ({ identity: 'a', psk: KEY }),
    checkServerIdentity: () => undefined,
  });
  await once(node, 'secureConnect');
  node.destroy();
  assert.ok(channel.node.counters.refusedConnections >= STRANGERS - 64);
});
