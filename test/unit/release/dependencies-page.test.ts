// Generates the table of packages in docs/release.md from the lock file and from what is installed, and checks what the
// page says of them. After an update: UPDATE_DOCS=1 npx tsx test/run.ts test/unit/release

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const PAGE = 'docs/release.md';
const HEAD =
  '| package | version | licence | files, KB | source | for |\n| --- | --- | --- | --- | --- | --- |\n';
/** Each package in dist/shoal.js, and why it is there. */
const PURPOSES: Readonly<Record<string, string>> = {
  commander: 'the command line',
  chalk: 'colours of the terminal',
  'smol-toml': 'the configuration file',
  'mqtt-packet': 'the rare MQTT packets; the frequent ones have codecs of their own',
  bl: 'buffers of mqtt-packet',
  ws: 'WebSocket, after the upgrade that Shoal reads itself',
  jose: 'JSON Web Tokens',
  preact: 'the dashboard',
  'lean-qr': 'QR codes of invitations',
};

interface Locked {
  readonly version: string;
  readonly license: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(path);
    return [path];
  });
}

function rowOf([name, purpose]: readonly [string, string]): string {
  const folder = `node_modules/${name}`;
  const { version, license } = lock.packages[folder]!;
  const files = filesIn(folder);
  const kilobytes = Math.ceil(files.reduce((sum, file) => sum + statSync(file).size, 0) / 1000);
  const { repository } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const [source] = /[\w-]+\/[\w.-]+?(?=(\.git)?$)/.exec(repository.url ?? repository) ?? [];
  const cells = [name, version, license, `${files.length}, ${kilobytes}`, source, purpose];
  return `| ${cells.join(' | ')} |\n`;
}

test('docs/release.md lists every package in the file, with version, licence, size and source', () => {
  const rows = Object.entries(PURPOSES).map(rowOf);
  const page = readFileSync(PAGE, 'utf8');
  const start = page.indexOf('| package |');
  assert.ok(start >= 0, 'the page has the table');
  const end = page.indexOf('\n\n', start) + 1;
  const expected = page.slice(0, start) + HEAD + rows.join('') + (end > 0 ? page.slice(end) : '');
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(PAGE, expected);
  assert.equal(readFileSync(PAGE, 'utf8'), expected);
});

test('no package in the file has an install script or native code, and each has a hash in the lock file', () => {
  for (const name of Object.keys(PURPOSES)) {
    const folder = `node_modules/${name}`;
    const { hasInstallScript, integrity = '' } = lock.packages[folder]!;
    assert.ok(hasInstallScript !== true, name);
    assert.match(integrity, /^sha512-/, name);
    const native = filesIn(folder).filter((file) => /\.(node|gyp|wasm|so|dll)$/.test(file));
    assert.deepEqual(native, [], name);
  }
});
