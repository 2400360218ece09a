// Random requests: the HTTP API answers each with a result or a problem, never throws, and keeps nothing
// of them; and random bytes on its port leave the server as it was.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { ConnectionLimit } from '../../src/http/connection-limit.ts';
import { controlGate } from '../../src/http/gate.ts';
import { HttpServer } from '../../src/http/http-server.ts';
import { routeTable } from '../../src/http/route-table.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { FakeNodeApi } from '../support/fake-node-api.ts';
import { makeRouter } from '../support/fake-router.ts';

const ROUNDS = 20_000;
const CONNECTIONS = 300;
const seed = Number(process.env.SEED ?? 7);

let state = seed;
function below(limit: number): number {
  state = (state * 48_271) % 2_147_483_647;
  return state % limit;
}

function oneOf<T>(list: readonly T[]): T {
  return list[below(list.length)]!;
}

const ODD_TEXTS = [
  '',
  '%',
  '%00',
  '%ff',
  '..',
  '../..',
  '#',
  '+',
  'a/#',
  '$SYS',
  '\ud800',
  '0',
  '-1',
];
const ODD_VALUES = [
  null,
  [],
  {},
  0,
  -1,
  1e99,
  true,
  'x',
  'x'.repeat(70_000),
  { topic: {} },
  [[[]]],
];
const NAMES = [
  'topic',
  'payload',
  'qos',
  'retain',
  'node',
  'limit',
  'after',
  '__proto__',
  'toString',
];

/** A path of the table with odd values in it, or an odd path. */
function randomPath(): string {
  const { path } = oneOf(routeTable);
  const filled = path.replace(/:\w+/g, () => oneOf([...ODD_TEXTS, 'client']));
  return below(4) === 0 ? filled + oneOf(ODD_TEXTS) : filled;
}

function randomQuery(): Record<string, string> {
  const query: Record<string, string> = {};
  for (let count = below(4); count > 0; count--) query[oneOf(NAMES)] = oneOf(ODD_TEXTS);
  return query;
}

function randomBody(): unknown {
  if (below(3) === 0) return oneOf(ODD_VALUES);
  const fields = Array.from({ length: below(5) }, () => [oneOf(NAMES), oneOf(ODD_VALUES)]);
  return below(2) === 0 ? undefined : Object.fromEntries(fields);
}

test('every request gets an answer that is no fault of the program', async () => {
  const node = new FakeNodeApi();
  const router = await makeRouter(node);
  const statuses = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const method = oneOf(['GET', 'POST', 'DELETE', 'PUT', 'HEAD', '']);
    const request = { method, path: randomPath(), query: randomQuery(), body: randomBody() };
    // Tokens cost a hash each, and the doctor needs a node.
    if (/tokens|doctor|ping/.test(request.path)) continue;
    const { status } = await router.answer(request, 'box2');
    statuses.add(status);
    const shown = JSON.stringify(request).slice(0, 300);
    assert.deepEqual(node.faults, [], `seed ${seed}, round ${round}: ${shown}`);
  }
  assert.ok(statuses.has(200) && statuses.has(400) && statuses.has(404), [...statuses].join());
  for (const { topic, qos } of node.published) {
    assert.ok(topic !== '' && !/[+#\0]/.test(topic) && [0, 1, 2].includes(qos));
  }
});

test('random bytes on the port leave the server as it was', { timeout: 60_000 }, async (t) => {
  const node = new FakeNodeApi();
  const server = await HttpServer.open(
    {
      node,
      router: await makeRouter(node),
      gate: controlGate,
      streams: { open: 0, dropped: 0 },
      counters: { requests: 0, failed: 0 },
      hasPages: true,
      limit: new ConnectionLimit(silentLogger),
    },
    { host: '127.0.0.1', port: 0 },
  );
  t.after(() => server.close());
  const whole = Buffer.from(
    'POST /api/v1/publish?node=box1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Content-Length: 15\r\n\r\n{"topic":"a/b"}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n',
  );
  for (let round = 0; round < CONNECTIONS; round++) {
    const bytes = Buffer.from(whole);
    for (let change = below(6); change > 0; change--) bytes[below(bytes.length)] = below(256);
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.end(below(2) === 0 ? bytes : bytes.subarray(0, below(bytes.length)));
    if (below(3) === 0) socket.destroy();
    else await once(socket, 'close');
  }
  assert.deepEqual(node.faults, []);
  const response = await fetch(`http://127.0.0.1:${server.port}/healthz`);
  assert.deepEqual(await response.json(), { status: 'ok', node: 'box1' });
});
