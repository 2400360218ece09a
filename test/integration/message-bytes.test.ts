// Each subscriber gets the bytes that were published, and a Packet Identifier of its own, although the broker sends
// most messages on in the very packet in which they came (docs/decisions/0187-*.md). Random clients compare all.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { noOpenssl, TestAuthority } from '../support/certificates.ts';
import { runExchange } from '../support/checked-exchange.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-bytes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SEEDS = [1, 2, 3];
const SIZE = { clients: 5, steps: 25, payloadBytesMax: 70_000 };
const QUEUES = ['-max-queued-messages=1000000', '-max-queued-bytes=1gb', '-queue-memory=1gb'];

test('over TCP, TLS and WebSocket each message arrives as it was published', {
  skip: noOpenssl(),
}, async () => {
  const { cert, key } = new TestAuthority(folder).issue('server', '/CN=box', 'IP:127.0.0.1');
  const listeners = ['-ws=0', '-tls=0', `-cert=${cert}`, `-key=${key}`];
  const shoal = new ShoalProcess(loopbackFlags('n1', ...listeners, ...QUEUES), { cwd: folder });
  try {
    const ports = {
      tcp: await shoal.mqttPort('tcp'),
      tls: await shoal.mqttPort('tls'),
      ws: await shoal.mqttPort('ws'),
    };
    const exchanges = SEEDS.map((seed) =>
      runExchange(ports, seed, SIZE).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }),
    );
    for (const received of await Promise.all(exchanges)) assert.ok(received > 0);
  } finally {
    await shoal.kill();
  }
});
