// The server itself: what a connection may take of the node, and what no request may do to it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CONNECTIONS_MAX, ConnectionLimit } from '../../../src/http/connection-limit.ts';
import { controlGate } from '../../../src/http/gate.ts';
import { HttpServer } from '../../../src/http/http-server.ts';
import { type Logger, silentLogger } from '../../../src/shared/logger.ts';
import { FakeNodeApi } from '../../support/fake-node-api.ts';
import { makeRouter } from '../../support/fake-router.ts';

const LIMIT = { timeout: 60_000 };

async function open(t: TestContext, node = new FakeNodeApi(), log = silentLogger) {
  const streams = { open: 0, dropped: 0 };
  const router = await makeRouter(node, { streams });
  const counters = { requests: 0, failed: 0 };
  const limit = new ConnectionLimit(log);
  const server = await HttpServer.open(
    { node, router, gate: controlGate, streams, counters, limit, hasPages: true },
    { host: '127.0.0.1', port: 0 },
  );
  t.after(() => server.close());
  return { server, streams, counters, limit, url: `http://127.0.0.1:${server.port}` };
}

/** A reset is an end as well. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

function requestFor(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

test(
  'streams end with their connection, also those asked for before the answer',
  LIMIT,
  async (t) => {
    const { server, streams, url } = await open(t);
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(requestFor('/api/v1/events').repeat(40));
    await closed(socket);
    const response = await fetch(`${url}/api/v1/events`);
    assert.equal(response.status, 200);
    assert.equal(streams.open, 1, 'only the stream of this request');
    await response.body?.cancel();
  },
);

test('a connection that asks again before the answer is closed', LIMIT, async (t) => {
  const warnings: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (...line) => warnings.push(line) };
  const { server, limit, url } = await open(t, undefined, log);
  const socket = connect(server.port, '127.0.0.1');
  let answers = '';
  socket
    .on('error', () => undefined)
    .on('data', (chunk) => {
      answers += chunk.toString();
    });
  socket.write(requestFor('/api/v1/openapi.json').repeat(2000));
  await closed(socket);
  assert.ok(answers.split('HTTP/1.1 200').length <= 2, 'one answer at most');
  assert.equal(limit.refused, 1);
  const event = 'HTTP connection closed: it asked again before the answer';
  assert.deepEqual(warnings, [[event, { from: '127.0.0.1', count: 1 }]]);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test('a turn makes few requests of what many connections send at once', LIMIT, async (t) => {
  const { server, counters } = await open(t);
  const shortest = 'GET /healthz HTTP/1.1\r\n\r\n';
  const sockets = Array.from({ length: 20 }, () => connect(server.port, '127.0.0.1'));
  let isOver = false;
  const allClosed = Promise.all(
    sockets.map((socket) => {
      socket.on('error', () => undefined).resume();
      socket.write(shortest.repeat(2500));
      return closed(socket);
    }),
  ).then(() => {
    isOver = true;
  });
  let most = 0;
  while (!isOver) {
    const before = counters.requests;
    await new Promise((next) => setImmediate(next));
    most = Math.max(most, counters.requests - before);
  }
  await allClosed;
  assert.ok(counters.requests >= sockets.length, 'each of them is read');
  assert.ok(most <= 100, `${most} requests in one turn`);
});

test('a body that takes many turns arrives whole', LIMIT, async (t) => {
  const { url } = await open(t);
  const payload = 'x'.repeat(300_000);
  const response = await fetch(`${url}/api/v1/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ topic: 't', payload }),
  });
  assert.equal(response.status, 200, await response.text());
});

test('a connection may ask again after the answer', async (t) => {
  const { server } = await open(t);
  const socket = connect(server.port, '127.0.0.1');
  for (let count = 0; count < 3; count++) {
    socket.write(requestFor('/healthz'));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200/);
  }
  socket.destroy();
});

test(
  'an answer of another node that cannot be sent on closes the connection only',
  LIMIT,
  async (t) => {
    class Endless extends FakeNodeApi {
      override readonly online = ['box1', 'box2'];
      override async ask() {
        const value: unknown[] = [];
        value.push(value);
        const series = [{ labels: {}, value }];
        const metric = { name: 'endless', kind: 'gauge', unit: 'none', help: '', series };
        return { status: 200, body: { metrics: [metric] } };
      }
    }
    const node = new Endless();
    const { url } = await open(t, node);
    await assert.rejects(fetch(`${url}/api/v1/metrics?node=box2`));
    assert.equal(node.faults.length, 1);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  },
);

test('a client that never closes takes no place behind its last response', LIMIT, async (t) => {
  const { server, limit, url } = await open(t);
  for (let i = 0; i < CONNECTIONS_MAX; i++) {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => socket.destroy());
    socket.on('error', () => undefined).resume();
    socket.write('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n');
    await once(socket, 'end');
  }
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal(limit.refused, 0);
});

test('HEAD on a stream has its head and opens none', LIMIT, async (t) => {
  const { streams, url } = await open(t);
  const response = await fetch(`${url}/api/v1/events`, { method: 'HEAD' });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(streams.open, 0);
});

test('a request with too many headers, or with two hosts, is refused whole', LIMIT, async (t) => {
  const { server } = await open(t);
  const ask = async (head: string): Promise<string> => {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n${head}\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return answer.toString();
  };
  const many = (count: number): string =>
    Array.from({ length: count }, (_, index) => `X-${index}: 1\r\n`).join('');
  assert.match(await ask(many(63)), /^HTTP\/1\.1 200/);
  // The header of a proxy may be the last one: it must not be cut off.
  assert.match(await ask(`${many(63)}X-Forwarded-For: 192.0.2.1\r\n`), /^HTTP\/1\.1 431/);
  assert.match(await ask('Host: other\r\n'), /^HTTP\/1\.1 400/);
});
