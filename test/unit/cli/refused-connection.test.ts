// What pub prints where a broker refuses it, or has a certificate that no known authority signed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { main } from '../../../src/cli/main.ts';
import { noOpenssl, TestAuthority } from '../../support/certificates.ts';
import { fakeContext } from '../../support/fake-context.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function pubTo(t: TestContext, server: Server, ...flags: string[]): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const context = fakeContext();
  const to = ['-h', '127.0.0.1', '-p', String(port), '-t', 'a', '-m', 'b'];
  assert.equal(await main(['pub', ...to, ...flags], context), 1);
  return context.err.join('');
}

for (const [connack, hint] of [
  ['2003008600', '; give -u NAME -P PASSWORD'],
  ['2003008700', '; give -u NAME -P PASSWORD'],
  ['20020005', '; give -u NAME -P PASSWORD'],
  ['2003008800', ''],
] as const) {
  test(`a CONNACK of ${connack} ${hint === '' ? 'gets no hint' : 'names the flags of a user'}`, async (t) => {
    const server = createServer((socket) => {
      socket.once('data', () => socket.end(Buffer.from(connack, 'hex')));
    });
    const text = await pubTo(t, server);
    assert.match(text, /: the broker refused the connection: [a-z ]+(; give .*)?\n$/i);
    assert.equal(text.includes('; give -u'), hint !== '');
  });
}

test('a certificate of an unknown authority names -cafile', { skip: noOpenssl() }, async (t) => {
  const authority = new TestAuthority(temporaryFolder(t));
  const { cert, key } = authority.issue('server', '/CN=localhost', 'DNS:localhost');
  const options = { cert: readFileSync(cert), key: readFileSync(key) };
  const text = await pubTo(t, createTlsServer(options), '-tls');
  assert.match(text, /; -cafile=FILE names the authority that signed it\n$/);
});
