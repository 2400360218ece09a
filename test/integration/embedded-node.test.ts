// createNode(): nodes in the process of a program, with real sockets: a cluster of two, access control
// with hooks behind it, files that change, and what the process itself is left with.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connectAsync } from 'mqtt';
import type { LogLine, Message, NodeOptions, ShoalNode } from '../../src/embed/api.ts';
import { createNode, ShoalError } from '../../src/embed/index.ts';
import { connectTo } from '../support/embedded-client.ts';
import { NODE } from '../support/shoal-process.ts';

const LOOPBACK = { port: 0, bind: '127.0.0.1', http: 'off', control: 'off' } as const;

async function start(t: TestContext, options: NodeOptions = {}): Promise<ShoalNode> {
  const node = await createNode({ ...LOOPBACK, ...options });
  t.after(() => node.close());
  return node;
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal embed '));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function urlOf({ listeners }: ShoalNode): string {
  return `mqtt://127.0.0.1:${listeners[0]?.port}`;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.fail('accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ShoalError, String(error));
  return `${error.code}: ${error.message}`;
}

test('two nodes of one process form a cluster, and one that closes leaves it', async (t) => {
  const csk = 'one token for the test of a cluster 7f3a';
  const lines: LogLine[] = [];
  let left = (): void => undefined;
  const hasLeft = new Promise<void>((done) => (left = done));
  const log = (line: LogLine) => {
    lines.push(line);
    if (line.event.includes('left') || line.fields.reason === 'left') left();
  };
  const cluster = { csk, crp: 0, csp: 0, profile: 'local' } as const;
  const one = await start(t, { ...cluster, nid: 'one', log });
  const { port } = one.gossip ?? assert.fail();
  const two = await start(t, { ...cluster, nid: 'two', mbs: `127.0.0.1:${port}` });
  const got = new Promise<Message>((done) => void one.subscribe('from/two', done));
  const client = await connectAsync(urlOf(two));
  t.after(() => client.endAsync(true));
  const again = setInterval(() => client.publish('from/two', 'hello'), 50);
  assert.equal((await got).payload.toString(), 'hello');
  clearInterval(again);
  assert.match(
    await codeOf(createNode({ ...LOOPBACK, ...cluster, nid: 'one', mbs: [`127.0.0.1:${port}`] })),
    /^NAME_IN_USE: .*one/,
  );
  await client.endAsync(true);
  await two.close();
  assert.equal(await two.ended, undefined);
  await hasLeft;
});

test('hooks decide behind the users of the node, and its files may change', async (t) => {
  const folder = folderOf(t);
  const acl = join(folder, 'acl');
  writeFileSync(acl, 'topic readwrite open/#\n');
  const asked: string[] = [];
  const node = await start(t, {
    acl,
    watchFiles: false,
    hooks: {
      authorizePublish: (_client, { topic }) => {
        asked.push(topic);
        return topic !== 'open/refused';
      },
    },
  });
  const client = await connectAsync(urlOf(node), { protocolVersion: 5 });
  t.after(() => client.endAsync(true));
  const publish = (topic: string) =>
    client.publishAsync(topic, '', { qos: 1 }).then(
      () => 'accepted',
      ({ code }: { code: number }) => code,
    );
  assert.equal(await publish('open/a'), 'accepted');
  assert.equal(await publish('open/refused'), 0x87);
  assert.equal(await publish('closed/a'), 0x87);
  assert.deepEqual(asked, ['open/a', 'open/refused']);
  writeFileSync(acl, 'topic readwrite closed/#\n');
  await node.reload();
  assert.equal(await publish('closed/a'), 'accepted');
  writeFileSync(acl, 'topics readwrite\n');
  assert.match(await codeOf(node.reload()), /^INVALID_OPTIONS: /);
  assert.equal(await publish('closed/a'), 'accepted');
});

test('a reload derives no keys from tokens that are the same', async (t) => {
  const { mock } = t.mock.method(crypto, 'scrypt');
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  const node = await start(t, { csk: 'one token for a reload 5b21', crp: 0, csp: 0 });
  assert.equal(mock.callCount(), 1);
  await node.reload();
  assert.equal(mock.callCount(), 1);
});

test('a stream on a node has the rules of the listener that it names', async (t) => {
  const node = await start(t, {
    port: 'off',
    listeners: [{ port: 0, bind: '127.0.0.1', maxQos: 0 }],
  });
  const { mqtt } = await connectTo(node);
  assert.equal(mqtt.connected, true);
  assert.throws(() => node.attach(mqtt.stream as never, { listener: 'none' }), {
    code: 'INVALID_ARGUMENT',
  });
  const [shown] = node.clients();
  assert.equal(node.clients().length, 1);
  assert.notEqual(shown?.listener, '');
});

test('messages of the program survive the process with a data folder', async (t) => {
  const data = folderOf(t);
  const first = await createNode({ ...LOOPBACK, data });
  const { retained } = await first.publish({ topic: 'state', payload: 'on', retain: true });
  assert.equal(retained, true);
  await first.close();
  const second = await start(t, { data });
  const message = await new Promise<Message>((done) => void second.subscribe('state', done));
  assert.equal(message.payload.toString(), 'on');
  assert.match(await codeOf(createNode({ ...LOOPBACK, data })), /^STORAGE: /);
});

test('each failure of a start has its code, and its message names the option of the program', async (t) => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  assert.match(await codeOf(createNode({ ...LOOPBACK, port })), /^LISTEN: TCP 127.*with port$/);
  const wrong = { ...LOOPBACK, mbs: ['a:1'], queueLength: 0, prot: 1 } as NodeOptions;
  const message = await codeOf(createNode(wrong));
  assert.match(message, /^INVALID_OPTIONS: /);
  assert.match(message, /unknown option 'prot'; did you mean 'port'\?/);
  assert.match(message, /bad value '0' for queueLength: expected a whole number/);
  const tables = { ...LOOPBACK, listeners: [{ port: 1, prot: 'ws' }], bridges: {} } as never;
  const tableMessage = await codeOf(createNode(tables));
  assert.match(tableMessage, /listeners\[0\]: unknown option 'prot'/);
  assert.match(tableMessage, /bridges must be an array of objects/);
  assert.match(await codeOf(createNode({ ...LOOPBACK, mbs: 'a:1' })), /mbs.*csk/);
});

test('no message of the library has the name that the command line or a file gives an option', async (t) => {
  const bridge = { name: 'hq', address: 'mqtt://127.0.0.1', topics: ['a/# out'] };
  const csk = '4hxkwzq8jvtm3n6ybdfrpcsag7';
  for (const [options, message] of [
    [
      { mbs: 'a:1' },
      /^INVALID_OPTIONS: mbs needs the cluster token, .*: csk=TOKEN or cskFile=FILE$/,
    ],
    [{ port: 'off' }, /^INVALID_OPTIONS: .*port is off, and none of tls, ws, wss and listeners is/],
    [
      { csk, bridges: [bridge] },
      /^INVALID_OPTIONS: bridges\[0\]: .* the bridge needs a clientId, /,
    ],
    [
      { listeners: [{ protocol: 'tcp', port: 1, wsPath: '/a' }] },
      /^INVALID_OPTIONS: listeners\[0\]: wsPath: only with protocol/,
    ],
    [{ data: '/nowhere/x' }, /^STORAGE: data=\/nowhere\/x cannot be created/],
    [{ httpTokenFile: 'package.json' }, /^INVALID_OPTIONS: .*package.json: is no file of tokens/],
  ] as const) {
    assert.match(await codeOf(createNode({ ...LOOPBACK, ...options } as NodeOptions)), message);
  }
  const lines: LogLine[] = [];
  await start(t, { maxConnections: 100, wsOrigin: '*', log: (line) => void lines.push(line) });
  assert.deepEqual(
    lines.map(({ event }) => event).filter((event) => event.includes('WebSocket')),
    ['no listener uses WebSocket (ws=PORT, wss=PORT): wsOrigin has no effect'],
  );
});

test('a start can be ended while it waits for other nodes', async () => {
  const cluster = { csk: 'a token for a start that ends 91', mbs: '127.0.0.1:9', crp: 0, csp: 0 };
  const starting = createNode({ ...LOOPBACK, ...cluster, signal: AbortSignal.abort() });
  assert.match(await codeOf(starting), /^FAILED: .*abort/i);
});

test('a node leaves the process as it was: no output, no signal handler, nothing open', () => {
  const entry = resolve('src/embed/index.ts');
  const text = `
    import { createNode, createBroker } from ${JSON.stringify(entry)};
    const before = process.eventNames().map(String).sort().join();
    const broker = await createBroker();
    const node = await createNode({ port: 0, http: '127.0.0.1:0', bind: '127.0.0.1', control: 'off' });
    const during = process.eventNames().map(String).sort().join();
    await Promise.all([node.close(), broker.close()]);
    process.on('exit', () => process.stdout.write(during === before ? 'as before' : during));`;
  const output = execFileSync(NODE, ['--import', 'tsx', '--input-type=module', '-e', text], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  assert.equal(output, 'as before');
});
