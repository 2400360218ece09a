// Text of strangers in places where it could mean something else: line ends and escape sequences in the log, names
// of JavaScript's own properties in requests and files, paths out of a folder, line ends in HTTP headers.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { runCommand } from '../support/run-command.ts';
import * as wire from '../support/wire.ts';
import { makeToken, send, startManaged, temporaryFolder } from './support/managed-node.ts';

const EVIL = 'evil\r\nlevel=error event="forged line"\u001b[2J\u0085\u2028"';

test('text of a client starts no line of the log and moves no terminal', async (t) => {
  const { shoal, control } = await startManaged(t, ['-log-level=debug', '-log-format=text']);
  const socket = connect({ host: '127.0.0.1', port: await shoal.mqttPort() });
  socket.write(wire.connect({ clientId: EVIL, username: EVIL, will: { topic: EVIL } }));
  await once(socket, 'data');
  socket.write(wire.publish(5, { topic: EVIL, payload: EVIL, retain: true }));
  socket.destroy();
  await shoal.waitFor(/client disconnected/);
  for (const line of shoal.output.split('\n')) assert.doesNotMatch(line, /^level=error/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  assert.doesNotMatch(shoal.output, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/);
  const metrics = await text(await control.open({ path: '/metrics' }));
  for (const line of metrics.trimEnd().split('\n')) {
    assert.match(line, /^(# .*|[a-z_]+(\{.*\})? [-+.\dA-Za-z]+)$/);
  }
});

test("names of JavaScript's own properties are ordinary names that nothing has", async (t) => {
  const managed = await startManaged(t);
  const headers = {
    authorization: `Bearer ${await makeToken(managed)}`,
    'content-type': 'application/json',
  };
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const body = `{"topic":"a","payload":"x","${name}":{"isAdmin":true}}`;
    const post = { method: 'POST', headers };
    assert.equal((await send(`${managed.url}/api/v1/publish`, post, body)).status, 400, name);
    const query = await send(`${managed.url}/api/v1/clients?${name}=1`, {});
    assert.equal(query.status, 400, `?${name}`);
    const option = JSON.stringify({ option: name, value: '1' });
    const put = await send(`${managed.url}/api/v1/config`, { method: 'PUT', headers }, option);
    assert.ok(put.status >= 400 && put.status < 500, `option ${name}: ${put.body}`);
    const client = await send(`${managed.url}/api/v1/clients/${name}`, {});
    assert.equal(client.status, 404, `client ${name}`);
    const file = join(temporaryFolder(t), 'shoal.toml');
    for (const line of [`${name} = 1`, `[${name}]\nx = 1`, `[[bridge]]\n${name} = 1`]) {
      writeFileSync(file, `${line}\n`);
      const { code, err } = await runCommand(['check', `-config=${file}`]);
      assert.equal(code, 2, line);
      assert.match(err, /unknown/, line);
    }
  }
});

test('no path of the HTTP server leads out of it, and none writes a header', async (t) => {
  const { url } = await startManaged(t);
  const { hostname: host, port } = new URL(url);
  for (const path of [
    '/../../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '//etc/passwd',
    '/api/v1/../../etc/passwd',
    '/api/v1/clients/x%0d%0aX-Evil:%201',
    '/%00',
  ]) {
    const socket = connect({ host, port: Number(port) });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const answer = await text(socket);
    assert.match(answer, /^HTTP\/1\.1 404 /, path);
    assert.doesNotMatch(answer, /^x-evil/im, path);
    assert.doesNotMatch(answer, /root:/, path);
  }
});
