// The npm package as a user gets it: packed, installed without a network into an empty folder, and used
// as an ES module, as CommonJS, from TypeScript, and as a command.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { NODE } from '../support/shoal-process.ts';

const PACKED_BYTES_MAX = 1_000_000;
const COMMAND_MS_MAX = 120_000;
const TSC = resolve('node_modules/typescript/bin/tsc');
const TYPES = resolve('node_modules/@types');

const base = mkdtempSync(join(tmpdir(), 'shoal package '));
const project = join(base, 'project');
let tarball = '';
after(() => rmSync(base, { recursive: true }));

before(() => {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', base]));
  tarball = join(base, packed.filename);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "private": true }');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], project);
});

test('the package is small, needs no other package and names the licences of what it contains', () => {
  assert.ok(statSync(tarball).size < PACKED_BYTES_MAX);
  const installed = join(project, 'node_modules/shoal');
  const about = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  assert.equal(about.dependencies, undefined);
  assert.match(readFileSync(join(installed, 'dist/LICENSES.txt'), 'utf8'), /^ws \d/m);
  const lock = readFileSync(join(project, 'package-lock.json'), 'utf8');
  assert.deepEqual(Object.keys(JSON.parse(lock).packages), ['', 'node_modules/shoal']);
});

const USE = `
  const { createBroker, createNode, ShoalError } = shoal;
  const [near, far] = pair();
  near.on('end', () => near.end());
  const broker = await createBroker();
  broker.attach(far);
  // CONNECT of client 'a', SUBSCRIBE to 'news'
  near.write(Buffer.from('100d00044d5154540402003c000161', 'hex'));
  near.write(Buffer.from('8209000100046e65777300', 'hex'));
  await received(near, '90030001');
  const { matched } = await broker.publish({ topic: 'news', payload: 'hello' });
  await received(near, Buffer.from('news' + 'hello').toString('hex'));
  await broker.close();
  const node = await createNode({ port: 0, http: 'off', control: 'off', bind: '127.0.0.1' });
  const { port } = node.listeners[0];
  await node.close();
  const error = await createNode({ port: 'x' }).catch((error) => error);
  console.log(matched, port > 0, error instanceof ShoalError, error.code, error.message);

  function pair() {
    const { PassThrough, Duplex } = stream;
    const [there, back] = [new PassThrough(), new PassThrough()];
    return [Duplex.from({ writable: there, readable: back }), Duplex.from({ writable: back, readable: there })];
  }
  function received(from, hex) {
    return new Promise((resolve) => {
      let all = '';
      from.on('data', (chunk) => (all += chunk.toString('hex')).includes(hex) && resolve());
    });
  }
`;
const RESULT = `true true true INVALID_OPTIONS bad value 'x' for port: expected a port number from 0 to 65535, or off\n`;

test('a program imports it as an ES module', () => {
  const text = `import * as shoal from 'shoal'; import * as stream from 'node:stream';${USE}`;
  assert.equal(runScript('use.mjs', text), RESULT);
});

test('a program requires it as CommonJS', () => {
  const head = `const shoal = require('shoal'); const stream = require('node:stream');`;
  assert.equal(runScript('use.cjs', `${head}(async () => {${USE}})();`), RESULT);
});

test('both module systems have the same classes', () => {
  const text = `import { createRequire } from 'node:module'; import { ShoalError } from 'shoal';
    console.log(createRequire(import.meta.url)('shoal').ShoalError === ShoalError);`;
  assert.equal(runScript('both.mjs', text), 'true\n');
});

test('npx shoal runs the command', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  assert.match(
    run('npx', ['--offline', 'shoal', 'version'], project),
    new RegExp(`^shoal ${version}`),
  );
});

const TYPED = `
  const broker: Broker = await createBroker({ maxQos: 1, log: ({ event }) => console.log(event) });
  const { refused }: PublishResult = await broker.publish({ topic: 'a', payload: Buffer.of(1) });
  const error = new ShoalError('CLOSED', refused);
  // @ts-expect-error no option has this name
  await createNode({ prot: 1883 });
  export { broker, error };
`;

for (const [title, name, options] of [
  ['an ES module', 'typed.mts', { module: 'nodenext' }],
  ['CommonJS', 'typed.cts', { module: 'nodenext' }],
  ['an ES module of Node 16 resolution', 'typed16.mts', { module: 'node16' }],
  ['CommonJS of Node 16 resolution', 'typed16.cts', { module: 'node16' }],
  ['a bundler', 'bundled.ts', { module: 'esnext', moduleResolution: 'bundler' }],
] as const) {
  test(`TypeScript finds the types for ${title}`, () => {
    const isCommonJs = name.endsWith('.cts');
    const names = '{ type Broker, createBroker, createNode, type PublishResult, ShoalError }';
    const body = isCommonJs
      ? `import shoal = require('shoal'); type Broker = shoal.Broker;
         type PublishResult = shoal.PublishResult;
         const { createBroker, createNode, ShoalError } = shoal;
         export = async () => {${TYPED.replace(/export .*/, 'return { broker, error };')}};`
      : `import ${names} from 'shoal';${TYPED}`;
    writeFileSync(join(project, name), body);
    const compilerOptions = {
      ...options,
      strict: true,
      noEmit: true,
      target: 'es2023',
      typeRoots: [TYPES],
    };
    const config = join(project, `tsconfig.${name}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files: [name] }));
    assert.equal(run(NODE, [TSC, '-p', config], project), '');
  });
}

function runScript(name: string, text: string): string {
  writeFileSync(join(project, name), text);
  return run(NODE, [name], project);
}

function run(command: string, args: readonly string[], cwd?: string): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      timeout: COMMAND_MS_MAX,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd && { cwd }),
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    assert.fail(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  }
}
