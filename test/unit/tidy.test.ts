// Keeps the house in order: who may import whom, what a core may not call, that every file is used,
// says what it is for and stays small, and that the documents name files that exist.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const LINES_MAX = 500;

interface LayerRule {
  /** Layers that it may import besides itself. */
  readonly layers: readonly string[];
  /** Packages and node: modules; 'node:*' is all of Node. */
  readonly packages: readonly string[];
}

const CORE_LAYERS = ['broker', 'swim', 'sync'];
const PURE_LAYERS = ['mqtt', ...CORE_LAYERS];
const adapter: LayerRule = {
  layers: ['shared', 'mqtt', ...CORE_LAYERS],
  packages: ['node:*'],
};

const rules: Readonly<Record<string, LayerRule>> = {
  shared: { layers: [], packages: ['node:crypto'] },
  mqtt: { layers: ['shared'], packages: ['mqtt-packet'] },
  broker: { layers: ['shared', 'mqtt'], packages: [] },
  swim: { layers: ['shared', 'mqtt'], packages: [] },
  sync: { layers: ['shared', 'mqtt'], packages: [] },
  net: { ...adapter, packages: ['node:*', 'ws'] },
  storage: adapter,
  auth: { ...adapter, packages: ['node:*', 'jose'] },
  http: adapter,
  // The defaults, presets and bounds of the cores are the table's.
  config: {
    layers: ['shared', 'mqtt', ...CORE_LAYERS],
    packages: ['node:net', 'node:path', 'smol-toml'],
  },
  node: {
    layers: ['shared', 'mqtt', ...CORE_LAYERS, 'net', 'storage', 'auth', 'http', 'config'],
    packages: ['node:*'],
  },
  cli: {
    layers: ['shared', 'mqtt', 'config', 'node', 'auth', 'net', 'storage'],
    packages: ['node:*', 'commander', 'chalk'],
  },
};

/** What would make a run depend on the clock, on chance or on the event loop. */
const BANNED_IN_CORES: readonly RegExp[] = [
  /\bDate\.now\b/,
  /\bnew Date\b/,
  /\bperformance\./,
  /\bMath\.random\b/,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bprocess\./,
  /\bconsole\./,
  /\bPromise\b/,
  /\basync\b/,
  /\bawait\b/,
  /\bfetch\(/,
];

const sources = filesUnder('src', '.ts');
const programs = filesUnder('bin', '.ts');
const tests = filesUnder('test', '.ts');
const documents = [...filesUnder('docs', '.md'), 'README.md'];

test('a layer imports only what lies below it', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const layer = layerOf(file);
    const rule = rules[layer];
    if (rule === undefined) {
      wrong.push(`${file}: no layer is called ${layer}`);
      continue;
    }
    for (const imported of importsOf(file)) {
      if (!isAllowed(rule, layer, file, imported)) wrong.push(`${file} imports ${imported}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('a core calls no clock, no timer, no chance and no promise', () => {
  const wrong: string[] = [];
  for (const file of sources.filter((source) => PURE_LAYERS.includes(layerOf(source)))) {
    const code = withoutCommentsAndTexts(read(file));
    for (const banned of BANNED_IN_CORES) {
      if (banned.test(code)) wrong.push(`${file}: ${banned.source}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every source file is reached from a program', () => {
  const reached = new Set<string>();
  const waiting = [...programs];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const imported of importsOf(file)) {
      if (imported.startsWith('.')) waiting.push(normalize(join(dirname(file), imported)));
    }
  }
  assert.deepEqual(
    sources.filter((file) => !reached.has(file)),
    [],
  );
});

test('every file begins with what it is for and stays small', () => {
  const wrong: string[] = [];
  for (const file of [...sources, ...programs, ...tests]) {
    const text = read(file).replace(/^#!.*\n/, '');
    const isTest = file.endsWith('.test.ts');
    if (!isTest && !/^\/[/*]/.test(text)) wrong.push(`${file}: no comment at its head`);
    const lines = text.split('\n').length - 1;
    if (lines > LINES_MAX) wrong.push(`${file}: ${lines} lines`);
  }
  assert.deepEqual(wrong, []);
});

test('every file that a document names exists', () => {
  const wrong: string[] = [];
  for (const document of documents) {
    const text = read(document);
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => normalize(join(dirname(document), target)));
    // Not a topic like test/hello: a path under test/ or bin/ counts with its ending.
    const named = [
      ...text.matchAll(/\b(?:src|docs)\/[\w./-]*\w|\b(?:test|bin)\/[\w./-]*\.(?:ts|md)\b/g),
    ].map(([path]) => path);
    for (const path of [...links, ...named]) {
      if (!existsSync(path)) wrong.push(`${document} names ${path}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('npm ci can work from the lock file, on every platform and from any registry', () => {
  const text = read('package-lock.json');
  assert.doesNotMatch(text, /"resolved"/);
  const { packages } = JSON.parse(text) as { packages: Record<string, LockEntry> };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) =>
        packages[`${path}/node_modules/${name}`]?.version === undefined &&
        packages[`node_modules/${name}`]?.version === undefined,
    ),
  );
  assert.deepEqual(missing, [], 'run: node .ci/complete-lock.mjs');
});

interface LockEntry {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function isAllowed(rule: LayerRule, layer: string, file: string, imported: string): boolean {
  if (imported.startsWith('.')) {
    const target = layerOf(normalize(join(dirname(file), imported)));
    return target === layer || rule.layers.includes(target);
  }
  if (rule.packages.includes(imported)) return true;
  const isNode = imported.startsWith('node:') || builtinModules.includes(imported);
  return isNode && rule.packages.includes('node:*');
}

/** `src/mqtt/framer.ts` is in mqtt; `src/node/node.ts` is the layer node. */
function layerOf(file: string): string {
  const [top, second = ''] = file.split('/');
  return top === 'src' ? second.replace(/\.ts$/, '') : (top ?? '');
}

function importsOf(file: string): string[] {
  const code = read(file);
  const found = code.matchAll(
    /^(?:import|export)\b[^;]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm,
  );
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function withoutCommentsAndTexts(code: string): string {
  return code.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    ' ',
  );
}

function filesUnder(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
