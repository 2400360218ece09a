// Who may use the HTTP API over TCP: tokens, other sites, and bounds on a request.

import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../support/run-command.ts';
import { makeToken, send, startManaged, temporaryFolder } from './support/managed-node.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const PUBLISH = '/api/v1/publish';
const MESSAGE = JSON.stringify({ topic: 'home/door', payload: 'open' });

function bearer(token: string): Record<string, string> {
  return { ...JSON_TYPE, authorization: `Bearer ${token}` };
}

test('a change over TCP needs a token, and the audit log has it', async (t) => {
  const managed = await startManaged(t);
  const { url, socket } = managed;
  const made = await runCommand(['token', 'http', `-control=${socket}`]);
  assert.equal(made.code, 0, made.err);
  const token = made.out.trim();
  const without = await send(url + PUBLISH, { method: 'POST', headers: JSON_TYPE }, MESSAGE);
  assert.equal(without.status, 401);
  assert.match(without.body, /shoal token http makes one/);
  const publish = { method: 'POST', headers: bearer(token) };
  assert.equal((await send(url + PUBLISH, publish, MESSAGE)).status, 200);
  const { body } = await send(`${url}/api/v1/audit`, {});
  const { entries } = JSON.parse(body) as { entries: { by: string; path: string }[] };
  assert.deepEqual(
    entries.map(({ by, path }) => [by, path]),
    [
      ['control', '/api/v1/tokens'],
      ['http', PUBLISH],
    ],
  );
  await managed.shoal.waitFor(/changed over the API.*by=http from=127.0.0.1/);
});

test('a token outlives a restart, and the disk has only its hash', async (t) => {
  const first = await startManaged(t, ['-data=data']);
  const token = await makeToken(first);
  await first.shoal.stop();
  const file = join(first.folder, 'data/http-tokens.json');
  const [id = '', secret = ''] = token.split('.');
  assert.ok(readFileSync(file, 'utf8').includes(id));
  assert.ok(!readFileSync(file, 'utf8').includes(secret));
  assert.equal(statSync(file).mode & 0o777, 0o600);

  const second = await startManaged(t, ['-data=data'], first.folder);
  const publish = { method: 'POST', headers: bearer(token) };
  assert.equal((await send(second.url + PUBLISH, publish, MESSAGE)).status, 200);
  const path = `/api/v1/tokens?id=${id}`;
  assert.deepEqual(await second.control.ask({ method: 'DELETE', path }), { revoked: 1 });
  assert.equal((await send(second.url + PUBLISH, publish, MESSAGE)).status, 401);
});

test('who guesses tokens has to wait', async (t) => {
  const managed = await startManaged(t);
  const token = await makeToken(managed);
  const wrong = { method: 'POST', headers: bearer(`${token.split('.')[0]}.wrong`) };
  for (let guess = 0; guess < 10; guess++) {
    assert.equal((await send(managed.url + PUBLISH, wrong, MESSAGE)).status, 401);
  }
  const right = { method: 'POST', headers: bearer(token) };
  assert.equal((await send(managed.url + PUBLISH, right, MESSAGE)).status, 429);
  await managed.shoal.waitFor(/HTTP request refused.*wait a minute/);
});

test('what a browser sends for another site is refused', async (t) => {
  const managed = await startManaged(t);
  const token = await makeToken(managed);
  const nodes = `${managed.url}/api/v1/nodes`;
  const cases: [Record<string, string>, number][] = [
    [{ origin: 'http://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://evil.example', authorization: `Bearer ${token}` }, 403],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 200],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    // DNS rebinding: the page's own name, which now has our address.
    [{ host: 'evil.example' }, 421],
    [{ host: '127.0.0.1.evil.example' }, 421],
    [{ host: 'localhost:1' }, 200],
    [{ host: 'box1.example', authorization: `Bearer ${token}` }, 200],
    // A proxy on this machine that passes on a request of another one.
    [{ 'x-forwarded-for': '203.0.113.7' }, 401],
  ];
  for (const [headers, status] of cases) {
    const answer = await send(nodes, { headers });
    assert.equal(answer.status, status, `${JSON.stringify(headers)}: ${answer.body}`);
  }
});

test('messages need a token where an ACL decides who may have them', async (t) => {
  const open = await startManaged(t);
  assert.equal((await send(`${open.url}/api/v1/retained`, {})).status, 200);
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'acl'), 'topic readwrite home/#\n');
  const closed = await startManaged(t, ['-acl=acl'], folder);
  assert.equal((await send(`${closed.url}/api/v1/retained`, {})).status, 401);
  assert.equal((await send(`${closed.url}/api/v1/subscribe?filter=%23`, {})).status, 401);
  assert.equal((await send(`${closed.url}/api/v1/nodes`, {})).status, 200);
  const headers = bearer(await makeToken(closed));
  assert.equal((await send(`${closed.url}/api/v1/retained`, { headers })).status, 200);
});

test('a request has bounds', async (t) => {
  const managed = await startManaged(t);
  const { url } = managed;
  const headers = bearer(await makeToken(managed));
  const large = JSON.stringify({ topic: 'a', payload: 'x'.repeat(1_100_000) });
  assert.equal((await send(url + PUBLISH, { method: 'POST', headers }, large)).status, 413);
  const long = { headers: { 'x-long': 'x'.repeat(20_000) } };
  assert.equal((await send(`${url}/healthz`, long)).status, 431);
  assert.equal((await send(`${url}/healthz?${'x'.repeat(9000)}`, {})).status, 413);
  const text = { method: 'POST', headers: { ...headers, 'content-type': 'text/plain' } };
  assert.equal((await send(url + PUBLISH, text, MESSAGE)).status, 415);
  assert.equal((await send(url + PUBLISH, { method: 'POST', headers }, '{')).status, 400);
  assert.equal((await send(url + PUBLISH, { method: 'GET' })).status, 405);
});
