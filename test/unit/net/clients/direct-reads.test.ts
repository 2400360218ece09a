// Sockets of node:net as the listener uses them: what arrives, in which order, and how often the stream is asked for more.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { emitChunksAtOnce } from '../../../../src/net/clients/direct-reads.ts';

const LARGE_BYTES = 3_000_000;

/** Both ends of a connection; `accepted` emits its chunks at once. */
async function pair(t: TestContext): Promise<{ accepted: Socket; client: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  emitChunksAtOnce(accepted);
  t.after(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { accepted, client };
}

/** Resolves once so many bytes have arrived. */
function received(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sum = 0;
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      sum += chunk.length;
      if (sum >= bytes) resolve(Buffer.concat(chunks));
    });
  });
}

test('chunks that come alone do not make the stream ask for more each time', async (t) => {
  const { accepted, client } = await pair(t);
  let reads = 0;
  const read = accepted._read;
  accepted._read = function (size) {
    reads += 1;
    read.call(this, size);
  };
  accepted.on('data', (chunk: Buffer) => accepted.write(chunk));
  for (let i = 0; i < 50; i++) {
    client.write(Buffer.of(i));
    assert.deepEqual((await once(client, 'data'))[0], Buffer.of(i));
  }
  assert.ok(reads < 5, `${reads} times for 50 chunks`);
});

test('a paused socket emits nothing, and all of it in order when it goes on', async (t) => {
  const { accepted, client } = await pair(t);
  const all = Buffer.alloc(LARGE_BYTES, '0123456789');
  const arrived = received(accepted, all.length);
  let paused = 0;
  accepted.on('data', () => {
    assert.equal(accepted.isPaused(), false);
    accepted.pause();
    paused += 1;
    // By then further chunks wait in the stream, and in the system.
    setTimeout(() => accepted.resume(), 1);
  });
  client.write(all);
  assert.deepEqual(await arrived, all);
  assert.ok(paused > 1);
});

test('a paused socket stops reading from the system', async (t) => {
  const { accepted, client } = await pair(t);
  accepted.on('data', () => accepted.pause());
  client.write(Buffer.alloc(20 * LARGE_BYTES));
  await once(accepted, 'pause');
  // A socket that still read would do so while another one passes its bytes to and fro.
  const other = await pair(t);
  other.accepted.on('data', (chunk: Buffer) => other.accepted.write(chunk));
  for (let turn = 0; turn < 200; turn++) {
    other.client.write('x');
    await once(other.client, 'data');
  }
  assert.ok(accepted.bytesRead < LARGE_BYTES, `${accepted.bytesRead} bytes`);
});

test('the end comes after the last chunk', async (t) => {
  const { accepted, client } = await pair(t);
  const arrived = received(accepted, 5);
  client.end('hello');
  await once(accepted, 'end');
  assert.equal((await arrived).toString(), 'hello');
  accepted.end();
  await once(client.resume(), 'close');
});
