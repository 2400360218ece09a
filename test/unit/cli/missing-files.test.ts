import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { fakeContext } from '../../support/fake-context.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal-files-'));
after(() => rmSync(base, { recursive: true }));
const file = join(base, 's.toml');

const ANY_PORTS = ['-port=0', '-crp=0', '-csp=0', '-http=off'];

async function shoal(text: string, ...tokens: string[]) {
  writeFileSync(file, text);
  const context = { ...fakeContext(), readFile: (path: string) => readFileSync(path, 'utf8') };
  const code = await main([...tokens, `-config=${file}`], context);
  return { code, err: context.err.join('') };
}

test('all missing files are reported at once, each with its absolute path and the flag or line that names it', async () => {
  const text = `auth = "people"
cert = ["box.pem", "/nowhere/b.pem"]
key = ["box.key", "b.key"]
[[listener]]
protocol = "tls"
port = 0
ca = "ca.pem"
require-certificate = "required"
[[listener]]
protocol = "wss"
port = 0
`;
  for (const command of [['check'], []]) {
    const { code, err } = await shoal(text, ...command, '-acl=/nowhere/acl', '-auth-jwt-key=jwt');
    assert.equal(code, 2);
    assert.deepEqual(err.trimEnd().split('\n').sort(), [
      'shoal: -acl=/nowhere/acl: there is no such file',
      `shoal: -auth-jwt-key=${join(process.cwd(), 'jwt')}: there is no such file`,
      `shoal: ${file}:1: auth = ${base}/people: there is no such file`,
      `shoal: ${file}:2: cert = /nowhere/b.pem: there is no such file`,
      `shoal: ${file}:2: cert = ${base}/box.pem: there is no such file`,
      `shoal: ${file}:3: key = ${base}/b.key: there is no such file`,
      `shoal: ${file}:3: key = ${base}/box.key: there is no such file`,
      `shoal: ${file}:7: ca = ${base}/ca.pem: there is no such file`,
    ]);
  }
});

test('a missing file that no listener uses is no error', async () => {
  const text = 'cert = "box.pem"\nkey = "box.key"\nanonymous = true\n[[listener]]\nport = 0\n';
  const { code, err } = await shoal(text, 'check');
  assert.equal(code, 0);
  assert.match(err, /^shoal: no listener uses TLS/);
});

test('the relative path of a token file counts from the folder of the configuration file', async () => {
  const { err } = await shoal('csk-file = "token"\n', 'check');
  assert.equal(err, `shoal: ${file}:1: csk-file = ${base}/token: there is no such file\n`);
  mkdirSync(join(base, 'folder'));
  writeFileSync(join(base, 'token'), 'secret\n');
  assert.equal(
    (await shoal('csk-file = "token"\ndata = "folder"\n', 'check', ...ANY_PORTS)).code,
    0,
  );
});
