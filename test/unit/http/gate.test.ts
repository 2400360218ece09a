// Who is let in over TCP, and who is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TcpGate } from '../../../src/http/gate.ts';
import { TokenStore } from '../../../src/http/token-store.ts';
import { silentLogger } from '../../../src/shared/logger.ts';

const HERE = {
  headers: { host: 'localhost:8080' },
  httpVersion: '1.1',
  from: '127.0.0.1',
  access: 'read',
} as const;

async function makeGate() {
  const tokens = await TokenStore.open(undefined);
  return { tokens, gate: new TcpGate(tokens, silentLogger, () => true) };
}

function withToken(token: string) {
  const headers = { ...HERE.headers, authorization: `Bearer ${token}` };
  return { ...HERE, headers, access: 'change' } as const;
}

test('who shares the address of a guesser keeps a token that was used before', async () => {
  const { gate, tokens } = await makeGate();
  const [used, fresh] = [await tokens.issue(), await tokens.issue()];
  await gate.admit(withToken(used));
  for (let guess = 0; guess < 10; guess++) {
    await assert.rejects(gate.admit(withToken('id.wrong')), { status: 401 });
  }
  await assert.rejects(gate.admit(withToken(fresh)), { status: 429 });
  assert.equal((await gate.admit(withToken(used))).kind, 'http');
  await tokens.revoke(undefined);
  await assert.rejects(gate.admit(withToken(used)), { status: 429 });
});

test('what a proxy on this machine passes on needs a token, also without a header of its own', async () => {
  const { gate } = await makeGate();
  assert.equal((await gate.admit(HERE)).kind, 'http');
  await assert.rejects(gate.admit({ ...HERE, httpVersion: '1.0' }), { status: 401 });
  const passedOn = ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'via', 'x-real-ip'];
  for (const name of [...passedOn, 'cf-connecting-ip', 'true-client-ip', 'x-original-url']) {
    const headers = { ...HERE.headers, [name]: '192.0.2.1' };
    await assert.rejects(gate.admit({ ...HERE, headers }), { status: 401 }, name);
  }
});

test('a link to the node may be followed, but no page of another site has it in a frame', async () => {
  const { gate } = await makeGate();
  const link = { ...HERE.headers, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  const document = { ...link, 'sec-fetch-dest': 'document' };
  assert.equal((await gate.admit({ ...HERE, headers: document })).kind, 'http');
  const frame = { ...link, 'sec-fetch-dest': 'iframe' };
  await assert.rejects(gate.admit({ ...HERE, headers: frame }), { status: 403 });
});
