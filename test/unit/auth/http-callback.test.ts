import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  CallbackError,
  HttpCallback,
  type HttpCallbackOptions,
} from '../../../src/auth/http-callback.ts';

interface Asked {
  readonly type: string | undefined;
  readonly body: string;
}

const question = {
  username: 'ann',
  password: Buffer.from('p w&='),
  clientId: 'c1',
  remoteAddress: '192.0.2.7',
};

/** A server that always gives the same answer, and the requests that it received. */
async function serve(
  t: TestContext,
  answer: { status?: number; body?: string; silent?: boolean },
  given: Partial<HttpCallbackOptions> = {},
  now: () => number = () => 0,
  wallClock: () => number = () => 0,
) {
  const asked: Asked[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ type: request.headers['content-type'], body });
    assert.equal(request.method, 'POST');
    if (answer.silent === true) response.destroy();
    else response.writeHead(answer.status ?? 200).end(answer.body ?? '');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/mqtt/auth`;
  const callback = new HttpCallback(
    { url, format: 'form', cacheMs: 60_000, ...given },
    { now, wallClock },
  );
  t.after(() => {
    callback.close();
    server.close();
    server.closeAllConnections();
  });
  return { callback, asked };
}

test('the request has the fields that other brokers send', async (t) => {
  const form = await serve(t, { body: 'allow' });
  await form.callback.ask(question);
  assert.equal(form.asked[0]?.type, 'application/x-www-form-urlencoded');
  const fields = new URLSearchParams(form.asked[0]?.body);
  assert.equal(fields.get('clientid'), 'c1');
  assert.equal(fields.get('username'), 'ann');
  assert.equal(fields.get('password'), 'p w&=');

  const json = await serve(t, { body: '1' }, { format: 'json' });
  await json.callback.ask(question);
  assert.equal(json.asked[0]?.type, 'application/json');
  const body = JSON.parse(json.asked[0]?.body ?? '');
  assert.deepEqual([body.user, body.password, body.ipaddr], ['ann', 'p w&=', '192.0.2.7']);
});

test('a clear acceptance admits the client', async (t) => {
  for (const body of ['allow', '1', ' ALLOW\n', '', '{"result":"allow","superuser":false}']) {
    const { callback } = await serve(t, { body });
    assert.notEqual(await callback.ask(question), undefined, body);
  }
});

test('a clear refusal refuses the client', async (t) => {
  const answers = [
    { status: 403 },
    { status: 401, body: 'allow' },
    { body: 'deny' },
    { body: 'ignore' },
    { body: '0' },
    { body: '{"result":"deny"}' },
    { body: '{"allow":true}' },
  ];
  for (const answer of answers) {
    const { callback } = await serve(t, answer);
    assert.equal(await callback.ask(question), undefined, JSON.stringify(answer));
  }
});

test('any other answer admits no client', async (t) => {
  const answers = [
    { status: 500, body: 'allow' },
    { status: 302, body: 'allow' },
    { body: '<html>allow</html>' },
    { body: '{"result":' },
    { body: '{"result":"allow","acl":[]}' },
    { body: '{"result":"allow","subs":"a"}' },
    { body: '{"result":"allow","expire_at":"1700000000"}' },
    { body: '{"result":"allow","expire_at":null}' },
    { body: 'allow'.padEnd(100_000) },
    { silent: true },
  ];
  for (const answer of answers) {
    const { callback } = await serve(t, answer);
    await assert.rejects(callback.ask(question), CallbackError);
  }
});

test('the error for a redirect says that redirects are not followed', async (t) => {
  const { callback } = await serve(t, { status: 302 });
  await assert.rejects(callback.ask(question), /status 302: redirects are not followed/);
});

test('an acceptance may contain topic lists and an expiry', async (t) => {
  const body = JSON.stringify({ result: 'allow', subs: ['a/#'], expire_at: 1_900_000_000 });
  const { callback } = await serve(t, { body });
  assert.deepEqual(await callback.ask(question), {
    topics: { publish: [], subscribe: ['a/#'] },
    expiresAtMs: 1_900_000_000_000,
  });
});

test('an acceptance is cached for the same client, password and address, for a limited time', async (t) => {
  let now = 0;
  const { callback, asked } = await serve(t, { body: 'allow' }, {}, () => now);
  await callback.ask(question);
  await callback.ask(question);
  assert.equal(asked.length, 1);
  await callback.ask({ ...question, password: Buffer.from('other') });
  await callback.ask({ ...question, clientId: 'c2' });
  await callback.ask({ ...question, remoteAddress: '192.0.2.8' });
  assert.equal(asked.length, 4);
  now = 60_001;
  await callback.ask(question);
  assert.equal(asked.length, 5);
  callback.clearCache();
  await callback.ask(question);
  assert.equal(asked.length, 6);
});

test('a refusal is not cached', async (t) => {
  const { callback, asked } = await serve(t, { body: 'deny' });
  await callback.ask(question);
  await callback.ask(question);
  assert.equal(asked.length, 2);
});

test('an acceptance is cached no longer than until it expires', async (t) => {
  let now = 0;
  const wallMs = Date.UTC(2026, 5, 1);
  const body = JSON.stringify({ result: 'allow', expire_at: (wallMs + 10_000) / 1000 });
  const { callback, asked } = await serve(
    t,
    { body },
    {},
    () => now,
    () => wallMs + now,
  );
  for (now of [0, 9999]) await callback.ask(question);
  assert.equal(asked.length, 1);
  now = 10_000;
  await callback.ask(question);
  assert.equal(asked.length, 2);
});

test('one user with many clients evicts only its own acceptances from the full cache', async (t) => {
  const { callback, asked } = await serve(t, { body: 'allow' }, { cachedMax: 10 });
  await callback.ask({ ...question, username: 'quiet' });
  for (let client = 0; client < 20; client++) {
    await callback.ask({ ...question, clientId: `c${client}` });
  }
  assert.equal(callback.evictions, 11);
  const before = asked.length;
  await callback.ask({ ...question, username: 'quiet' });
  assert.equal(asked.length, before);
});
