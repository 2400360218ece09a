// The built file by itself: it runs in every folder, under every name and in both module systems, and an
// error prints an error and not the file.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BUNDLE, loopbackFlags, NODE, ShoalProcess } from '../support/shoal-process.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal one file '));
after(() => rmSync(base, { recursive: true }));

const folders = {
  'no package.json': undefined,
  '"type": "commonjs"': '{ "type": "commonjs" }',
  '"type": "module"': '{ "type": "module" }',
};
const names = ['shoal.js', 'shoal.cjs', 'shoal.mjs', 'shoal'];
/** Node prints the line that an error occurred on, and a frame for each caller. */
const ERROR_LENGTH_MAX = 3000;

for (const [title, packageJson] of Object.entries(folders)) {
  test(`the file runs under each name in a folder with ${title}`, async (t) => {
    const folder = makeFolder(packageJson);
    await Promise.all(
      names.map(async (name) => {
        const bundle = copyTo(folder, name);
        const shoal = new ShoalProcess(loopbackFlags('n1', '-csk=secret'), { bundle });
        t.after(() => shoal.kill());
        await shoal.mqttPort();
        assert.deepEqual(await shoal.stop(), { code: 0, signal: null }, `${name}\n${shoal.output}`);
      }),
    );
  });
}

test('as an ES module the file also runs on releases without process.getBuiltinModule', () => {
  const preload = makeFile('preload.cjs', 'process.getBuiltinModule = undefined;');
  const file = copyTo(makeFolder(undefined), 'shoal.mjs');
  const { stdout, stderr } = run(['--require', preload, file, 'version']);
  assert.match(stdout, /^shoal \d/, stderr);
});

for (const name of ['shoal.cjs', 'shoal.mjs']) {
  test(`an error while ${name} is loaded prints a few lines`, () => {
    const preload = makeFile(
      'broken.cjs',
      `const modules = require('node:module');
       for (const [holder, method] of [[modules, '_load'], [process, 'getBuiltinModule']]) {
         const load = holder[method];
         holder[method] = (name, ...rest) => {
           if (name === 'node:dgram') throw new Error('no dgram today');
           return load(name, ...rest);
         };
       }`,
    );
    const file = copyTo(makeFolder(undefined), name);
    const { status, stdout, stderr } = run(['--require', preload, file, 'version']);
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /Error: no dgram today/);
    assert.ok(stderr.length < ERROR_LENGTH_MAX, `${stderr.length} characters`);
  });
}

test('an uncaught error prints its message and ends the node with 1', () => {
  const preload = makeFile(
    'crash.cjs',
    "setTimeout(() => { throw new Error('a fault of ours'); }, 200);",
  );
  const { status, stderr } = run(['--require', preload, BUNDLE, ...loopbackFlags('n1')]);
  assert.equal(status, 1);
  assert.match(stderr, /^shoal: Error: a fault of ours\n/m);
  assert.ok(stderr.length < ERROR_LENGTH_MAX, `${stderr.length} characters`);
});

// The budget of the file is in build.mjs alone, which fails above it.
test('the licences beside the file name the packages in it', () => {
  const licences = readFileSync(join(BUNDLE, '../LICENSES.txt'), 'utf8');
  for (const name of [
    'ws',
    'mqtt-packet',
    'commander',
    'jose',
    'smol-toml',
    'chalk',
    'bl',
    'preact',
  ]) {
    assert.match(licences, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'));
  }
});

function makeFolder(packageJson: string | undefined): string {
  const folder = mkdtempSync(join(base, 'folder '));
  if (packageJson !== undefined) writeFileSync(join(folder, 'package.json'), packageJson);
  return folder;
}

function makeFile(name: string, text: string): string {
  const folder = join(base, 'preloads');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function copyTo(folder: string, name: string): string {
  const path = join(folder, name);
  copyFileSync(BUNDLE, path);
  return path;
}

function run(args: readonly string[]) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return spawnSync(NODE, args, { encoding: 'utf8', env, timeout: 60_000 });
}
