import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exposureWarnings } from '../../../src/cli/file-exposure.ts';
import { main } from '../../../src/cli/main.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { fakeContext } from '../../support/fake-context.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal-exposure-'));
after(() => rmSync(base, { recursive: true }));
const skip = process.platform === 'win32';

function file(name: string, mode: number, text = 'x'): string {
  const path = join(base, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function warningsOf(flags: Readonly<Record<string, string>>): string[] {
  const readFile = (path: string): string => readFileSync(path, 'utf8');
  return exposureWarnings(loadConfig(flags, { environment: {}, hostName: 'h', readFile }));
}

test('a token file that other users can read or change is named with the line that protects it', {
  skip,
}, () => {
  const path = file('token', 0o600, '0123456789abcdef0123456789abcdef\n');
  assert.deepEqual(warningsOf({ 'csk-file': path }), []);
  chmodSync(path, 0o644);
  const start = `-csk-file=${path}: every user of this machine can`;
  const end = `it, and it contains the cluster token; run: chmod 600 ${path}`;
  assert.deepEqual(warningsOf({ 'csk-file': path }).map(withoutGroup), [`${start} read ${end}`]);
  chmodSync(path, 0o666);
  assert.deepEqual(warningsOf({ 'csk-file': path }).map(withoutGroup), [
    `${start} read and change ${end}`,
  ]);
});

/** A file of root may be read by its group, so the mode that is recommended depends on the owner. */
function withoutGroup(warning: string): string {
  return warning.replace('chmod 640', 'chmod 600');
}

test('a secret file that its group can read is a warning, unless root owns it', {
  skip: process.getuid?.() !== 0,
}, () => {
  const path = file('pw', 0o640);
  assert.deepEqual(warningsOf({ auth: path }), []);
  chownSync(path, 65_534, 65_534);
  assert.deepEqual(warningsOf({ auth: path }), [
    `-auth=${path}: its group can read it, and it contains the password hashes; run: chmod 600 ${path}`,
  ]);
});

test('a file without secrets may be read by everyone, and changed only by its owner', {
  skip,
}, () => {
  const acl = file('acl', 0o644);
  const key = file('public.pem', 0o644, '-----BEGIN PUBLIC KEY-----\n');
  const config = file('plain.toml', 0o644, 'nid = "a"\n');
  assert.deepEqual(warningsOf({ acl, config, 'auth-jwt-key': key }), []);
  chmodSync(acl, 0o664);
  assert.deepEqual(warningsOf({ acl }), [
    `-acl=${acl}: its group can change it, and it decides on access; run: chmod 644 ${acl}`,
  ]);
});

test('keys, token secrets and a configuration with the token are secret', { skip }, () => {
  const secret = file('secret', 0o604);
  const key = file('box.key', 0o604);
  const config = file('token.toml', 0o604, `csk = "0123456789abcdef"\nkey = "${key}"\n`);
  const flags = { config, tls: '8883', cert: file('box.pem', 0o644), 'auth-jwt-key': secret };
  const named = warningsOf(flags).map((warning) => warning.split('=')[0]);
  assert.deepEqual(named, ['-key', '-auth-jwt-key', '-config']);
});

test('a data folder that others can write to is a warning, with another remedy for /tmp', {
  skip,
}, () => {
  const data = join(base, 'data');
  assert.deepEqual(warningsOf({ data }), []);
  mkdirSync(data);
  chmodSync(data, 0o755);
  assert.deepEqual(warningsOf({ data }), []);
  chmodSync(data, 0o777);
  assert.match(warningsOf({ data })[0] ?? '', /can change it, .*; run: chmod 755 /);
  chmodSync(data, 0o1777);
  assert.match(warningsOf({ data })[0] ?? '', /; give the node a folder of its own$/);
});

test('shoal check prints these warnings', { skip }, async () => {
  const path = file('checked', 0o666, 'topic #\n');
  const context = fakeContext();
  const flags = [`-acl=${path}`, '-anonymous=true', '-port=0', '-http=off'];
  assert.equal(await main(['check', ...flags], context), 0);
  assert.match(
    context.err.join(''),
    /^shoal: -acl=.*checked: every user of this machine can change/m,
  );
});
