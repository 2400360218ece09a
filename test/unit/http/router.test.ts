// What the router makes of the answers of other nodes, and what the audit log keeps of a change.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditLog } from '../../../src/http/audit-log.ts';
import type { Caller } from '../../../src/http/route.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import type { NodeReply, NodeRequest } from '../../../src/shared/node-request.ts';
import { FakeNodeApi } from '../../support/fake-node-api.ts';
import { makeRouter } from '../../support/fake-router.ts';

const CALLER: Caller = { kind: 'control', from: '' };

/** Box1 with another node that answers this. */
class TwoNodes extends FakeNodeApi {
  override readonly online = ['box1', 'box2'];
  readonly #reply: NodeReply;

  constructor(reply: NodeReply) {
    super();
    this.#reply = reply;
  }

  override async ask(): Promise<NodeReply> {
    return this.#reply;
  }

  override async askAll() {
    return new Map<string, NodeReply>([
      ['box1', { status: 200, body: { items: [], total: 0 } }],
      ['box2', this.#reply],
    ]);
  }
}

async function routerOf(node: FakeNodeApi) {
  const audit = new AuditLog(silentLogger);
  const router = await makeRouter(node, { audit });
  const ask = async (request: NodeRequest) => {
    const response = await router.respond(router.match(request), request, CALLER);
    assert.ok('json' in response);
    return response as { status: number; json: { missing?: unknown; items?: unknown } };
  };
  return { ask, audit };
}

const subscription = {
  client: 'c',
  node: 'box2',
  filter: 'a/#',
  qos: 0,
  noLocal: false,
  retainAsPublished: false,
};

test('a node whose answer has another shape is named, and the rows of the others are shown', async () => {
  const wrong: unknown[] = [
    undefined,
    null,
    'text',
    [],
    {},
    { items: 'abc', total: 1 },
    { items: [null], total: 1 },
    { items: [{ ...subscription, filter: 7 }], total: 1 },
    { items: [], total: 'many' },
    { items: [], total: 0, missing: 5 },
  ];
  for (const body of wrong) {
    const { ask } = await routerOf(new TwoNodes({ status: 200, body }));
    const request = { method: 'GET', path: '/api/v1/subscriptions', query: {} };
    const { status, json } = await ask(request);
    assert.equal(status, 200);
    assert.deepEqual(json.items, []);
    const [named] = json.missing as { node: string; problem: string }[];
    assert.equal(named?.node, 'box2');
    assert.match(named?.problem ?? '', /^The answer of box2 is missing: it is malformed: /);
    const alone = await ask({ ...request, query: { node: 'box2' } });
    assert.equal(alone.status, 502, JSON.stringify(body));
  }
});

test('a newer node may say more: what this one does not know is left out', async () => {
  const body = { items: [{ ...subscription, colour: 'red' }], total: 1, pages: 3 };
  const { ask } = await routerOf(new TwoNodes({ status: 200, body }));
  const { json } = await ask({ method: 'GET', path: '/api/v1/subscriptions', query: {} });
  assert.deepEqual(json, { items: [subscription], total: 1 });
});

class OneOption extends FakeNodeApi {
  override readonly setOption = async (option: string) => ({
    option,
    from: '-',
    to: 'http://10.0.0.1/?***',
    isInForce: true,
    file: null,
    backup: null,
    notes: [],
  });
}

test('the audit log says what was changed, without secrets and payloads', async () => {
  const { ask, audit } = await routerOf(new OneOption());
  const query = {};
  await ask({
    method: 'POST',
    path: '/api/v1/bans',
    query,
    body: { client: 'noisy', seconds: 60 },
  });
  await ask({ method: 'DELETE', path: '/api/v1/bans', query: { client: 'noisy' } });
  const message = { topic: 'home/door', payload: 'secret code', retain: true };
  await ask({ method: 'POST', path: '/api/v1/publish', query, body: message });
  const option = { option: 'auth-http', value: 'http://10.0.0.1/?key=secret' };
  await ask({ method: 'PUT', path: '/api/v1/config', query, body: option });
  const unknown = { strange: 'x'.repeat(1000), topic: 'y'.repeat(1000) };
  await ask({ method: 'POST', path: '/api/v1/publish', query: { strange: 'z' }, body: unknown });
  const changes = audit.entries.map(({ change }) => change);
  assert.deepEqual(changes.slice(0, 4), [
    'client=noisy seconds=60',
    'client=noisy',
    'topic=home/door payload=*** retain=true',
    'option=auth-http value=*** from=- to=http://10.0.0.1/?***',
  ]);
  assert.equal(changes[4], `topic=${'y'.repeat(128)}`);
});
