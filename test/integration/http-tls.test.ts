// -http with a certificate: TLS only, a renewed certificate without a restart, and a wrong one that changes nothing.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { noOpenssl, TestAuthority } from '../support/certificates.ts';
import { freePorts } from '../support/free-ports.ts';
import { runCommand } from '../support/run-command.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { temporaryFolder } from './support/managed-node.ts';

const skip = noOpenssl();

async function start(t: TestContext) {
  const folder = temporaryFolder(t);
  const authority = new TestAuthority(folder);
  const issued = authority.issue('first', '/CN=first', 'IP:127.0.0.1');
  const [cert, key] = [join(folder, 'http.pem'), join(folder, 'http.key')];
  const use = (files: { cert: string; key: string }): void => {
    copyFileSync(files.key, key);
    copyFileSync(files.cert, cert);
  };
  use(issued);
  const control = join(folder, 'control.sock');
  const [port] = await freePorts(1);
  const flags = [`-http=127.0.0.1:${port}`, `-http-cert=${cert}`, `-http-key=${key}`];
  const shoal = new ShoalProcess(loopbackFlags('box1', ...flags, `-control=${control}`), {
    cwd: folder,
  });
  t.after(() => shoal.kill());
  const [, address = ''] = await shoal.waitFor(/management on https ([^\s"]+)/);
  return { shoal, authority, cert, use, control, address };
}

/** Trusts the authority alone. */
function get(address: string, { ca }: TestAuthority): Promise<{ name: string; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { ca: readFileSync(ca), agent: false } as const;
    request(`https://${address}/healthz`, options, (message) => {
      const certificate = (message.socket as TLSSocket).getPeerCertificate() as PeerCertificate;
      text(message).then((body) => resolve({ name: String(certificate.subject.CN), body }), reject);
    })
      .on('error', reject)
      .end();
  });
}

test('-http speaks TLS with its certificate, and takes a renewed one over', { skip }, async (t) => {
  const { shoal, authority, cert, use, control, address } = await start(t);
  const { name, body } = await get(address, authority);
  assert.equal(name, 'first');
  assert.deepEqual(JSON.parse(body), { status: 'ok', node: 'box1' });
  await assert.rejects(fetch(`http://${address}/healthz`), 'no plain HTTP on the same port');
  const dashboard = await runCommand(['dashboard', `-control=${control}`]);
  assert.match(dashboard.out, /^https:\/\/127\.0\.0\.1:\d+\/#token=/);

  use(authority.issue('second', '/CN=second', 'IP:127.0.0.1'));
  await shoal.waitFor(/event="file changed" option=-http-cert/);
  await shoal.waitFor(/event="files reloaded"/);
  assert.equal((await get(address, authority)).name, 'second');

  writeFileSync(cert, 'no certificate\n');
  await shoal.waitFor(/its last valid version stays in force.*holds no certificate/);
  assert.equal((await get(address, authority)).name, 'second');
});

test('a key without a certificate is a mistake that check finds', { skip }, async (t) => {
  const { cert } = await start(t);
  const { code, err } = await runCommand(['check', `-http-key=${cert}`]);
  assert.equal(code, 2);
  assert.match(err, /-http-key needs -http-cert/);
});
