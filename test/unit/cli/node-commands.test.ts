// What commands print with the answers of a node, and which node they ask.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { fakeContext } from '../../support/fake-context.ts';
import { type Answers, startFakeNode } from '../../support/fake-node.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const BAN = { reason: 'by hand', since: 0, until: 3_600_000, missing: [] };
const BAN_OF_CLIENT = { ...BAN, client: 'dev1', user: null, address: null };

function detail(isConnected: boolean) {
  return { client: { id: 'dev1', isConnected } };
}

/** What a node with this data folder says of its configuration. */
function withData(folder: string): Answers {
  return { 'GET /api/v1/config': { options: [{ flag: 'data', value: folder }] } };
}

const ROWS: readonly {
  readonly name: string;
  readonly line: string;
  readonly answers: Answers;
  readonly prints: RegExp;
}[] = [
  {
    name: 'ban names a client that is still connected',
    line: 'ban -client=dev1',
    answers: { 'POST /api/v1/bans': BAN_OF_CLIENT, 'GET /api/v1/clients/dev1': detail(true) },
    prints: /^banned dev1 for 1 h\nstill connected: shoal kick dev1\n$/,
  },
  {
    name: 'ban of a client with only a session',
    line: 'ban -client=dev1',
    answers: { 'POST /api/v1/bans': BAN_OF_CLIENT, 'GET /api/v1/clients/dev1': detail(false) },
    prints: /^banned dev1 for 1 h\n$/,
  },
  {
    name: 'ban of a client that no node knows',
    line: 'ban -client=dev1',
    answers: { 'POST /api/v1/bans': BAN_OF_CLIENT },
    prints: /^banned dev1 for 1 h\n$/,
  },
  {
    name: 'unban names the client and the address',
    line: 'unban -client=dev1 -address=10.0.0.7',
    answers: { 'DELETE /api/v1/bans': { missing: [] } },
    prints: /^lifted the ban of dev1 from 10\.0\.0\.7\n$/,
  },
  {
    name: 'unban names the user',
    line: 'unban -user=ann',
    answers: { 'DELETE /api/v1/bans': { missing: [] } },
    prints: /^lifted the ban of user ann\n$/,
  },
  {
    name: 'clients without clients',
    line: 'clients',
    answers: { 'GET /api/v1/clients': { items: [], total: 0 } },
    prints: /^no client is connected\n$/,
  },
  {
    name: 'clients without a match',
    line: 'clients -like=x',
    answers: { 'GET /api/v1/clients': { items: [], total: 0 } },
    prints: /^no client matches\n$/,
  },
  {
    name: 'backup takes the data folder of the node',
    line: 'backup /nowhere/b.tgz',
    answers: withData('/nowhere/data'),
    prints: /^shoal: \/nowhere\/data: there is no such folder\n$/,
  },
  {
    name: 'backup of a node without a data folder',
    line: 'backup /nowhere/b.tgz',
    answers: withData('-'),
    prints: /^shoal: the node here keeps nothing on disk: it has no -data\n$/,
  },
];

for (const { name, line, answers, prints } of ROWS) {
  test(name, async (t) => {
    const control = await startFakeNode(t, answers);
    const context = fakeContext();
    await main([...line.split(' '), `-control=${control}`], context);
    assert.match([...context.out, ...context.err].join(''), prints);
  });
}

test('api asks the node of the flags before it and of the environment; flags after it win', async (t) => {
  const control = await startFakeNode(t, { 'GET /a': { is: 'this' } });
  const absent = join(temporaryFolder(t), 'absent.sock');
  for (const [before, after, environment] of [
    [[`-control=${control}`], [], {}],
    [[`-control=${absent}`], [`-control=${control}`], {}],
    [[], [], { SHOAL_CONTROL: control }],
  ] as const) {
    const context = fakeContext({ environment });
    await main([...before, 'api', '/a', ...after], context);
    assert.deepEqual(context.err, []);
    assert.deepEqual(JSON.parse(context.out.join('')), { is: 'this' });
  }
});

test('api refuses a path that no request can have', async () => {
  for (const path of ['status', '', '/a b', '/ä', '/a\r\nb: c', 'http://box2/api/v1/nodes']) {
    const context = fakeContext();
    assert.equal(await main(['api', path], context), 2, path);
    assert.match(context.err.join(''), /bad value '.*' for PATH: expected one such as/s);
  }
});

test('backup without a data folder and without a node says what it needs', async (t) => {
  const absent = join(temporaryFolder(t), 'absent.sock');
  const context = fakeContext();
  assert.equal(await main(['backup', '/nowhere/b.tgz', `-control=${absent}`], context), 2);
  assert.match(
    context.err.join(''),
    /^shoal: backup needs the data folder, -data=FOLDER or -config=FILE: .* no node runs here\n$/,
  );
});

test('dashboard over SSH says how the browser of the other machine reaches it', async (t) => {
  const http = createServer((_, response) => response.end('{"node":"n1"}'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => http.close().closeAllConnections());
  const place = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  const control = await startFakeNode(t, {
    'GET /api/v1/config': { options: [{ flag: 'http', value: place }] },
    'POST /api/v1/tokens': { token: 'a.b' },
    'GET /healthz': { node: 'n1' },
  });
  for (const [environment, hint] of [
    [{}, ''],
    [
      { SSH_CONNECTION: '10.0.0.9 50000 10.0.0.1 22' },
      `only this machine reaches it; first, on yours: ssh -L ${place.slice(10)}:${place} box7\n`,
    ],
  ] as const) {
    const context = fakeContext({ environment });
    await main(['dashboard', `-control=${control}`], context);
    assert.equal(context.out.join(''), `http://${place}/#token=a.b\n`);
    assert.equal(context.err.join(''), hint);
  }
});
