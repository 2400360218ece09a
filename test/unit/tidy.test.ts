// Checks how the project is built: who may import whom, what a core may not call, that every file is
// used, has a head comment and stays small, that the pages name files that exist, and that texts use
// plain words. Each failure says what to do; docs/architecture.md has the layers as a picture.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import {
  filesUnder,
  importCycles,
  importsOf,
  reachableFrom,
  read,
  withoutCommentsAndTexts,
} from '../support/source-files.ts';

const LINES_MAX = 500;
/** Made from the option table, one member for each option. */
const GENERATED = 'src/embed/api-options.ts';

interface LayerRule {
  /** Layers that it may import besides itself. */
  readonly layers: readonly string[];
  /** Packages and node: modules; 'node:*' is all of Node. */
  readonly packages: readonly string[];
}

const CORE_LAYERS = ['broker', 'swim', 'sync', 'replica', 'query', 'bridge', 'discovery'];
const PURE_LAYERS = ['mqtt', ...CORE_LAYERS];
const adapter: LayerRule = {
  layers: ['shared', 'metrics', 'mqtt', ...CORE_LAYERS],
  packages: ['node:*'],
};

/** From the bottom to the top. */
const rules: Readonly<Record<string, LayerRule>> = {
  shared: { layers: [], packages: ['node:crypto'] },
  shims: { layers: [], packages: ['node:*'] },
  // Definitions only, so that every layer may supply values for them.
  metrics: { layers: [], packages: [] },
  mqtt: { layers: ['shared'], packages: ['mqtt-packet'] },
  broker: { layers: ['shared', 'metrics', 'mqtt'], packages: [] },
  swim: { layers: ['shared', 'mqtt'], packages: [] },
  sync: { layers: ['shared', 'mqtt'], packages: [] },
  replica: { layers: ['shared', 'mqtt'], packages: [] },
  bridge: { layers: ['shared', 'mqtt'], packages: [] },
  query: { layers: ['shared'], packages: [] },
  discovery: { layers: ['shared'], packages: [] },
  net: { ...adapter, packages: ['node:*', 'ws'] },
  storage: adapter,
  auth: { ...adapter, packages: ['node:*', 'jose'] },
  // Asks the node through a port of its own, and knows no core.
  http: { layers: ['shared', 'metrics', 'mqtt'], packages: ['node:*'] },
  // Runs in the browser: of the API it knows the types alone.
  dashboard: { layers: ['shared', 'http'], packages: ['preact', 'preact/hooks', 'lean-qr/nano'] },
  // The option table reads the defaults, presets and bounds of the cores.
  config: {
    layers: ['shared', 'mqtt', ...CORE_LAYERS],
    packages: ['node:net', 'node:path', 'smol-toml'],
  },
  // Serves a node that runs and the command line alike.
  doctor: {
    layers: ['shared', 'mqtt', ...CORE_LAYERS, 'net', 'storage', 'config'],
    packages: ['node:*'],
  },
  node: {
    layers: [
      'shared',
      'metrics',
      'mqtt',
      ...CORE_LAYERS,
      'net',
      'storage',
      'auth',
      'http',
      'config',
      'doctor',
    ],
    packages: ['node:*'],
  },
  // The library of the npm package, beside the command line: neither knows the other.
  embed: {
    layers: ['shared', 'mqtt', 'broker', 'net', 'storage', 'auth', 'config', 'node'],
    packages: ['node:*'],
  },
  cli: {
    layers: ['shared', 'mqtt', 'config', 'node', 'auth', 'net', 'storage', 'http', 'doctor'],
    packages: ['node:*', 'commander', 'chalk', 'ws', 'lean-qr/nano'],
  },
};

const PICTURE = `
  entries       src/cli  src/embed                     command line, library
  node          src/node                               alone knows all parts
  options       src/config
  adapters      src/net  src/storage  src/auth  src/http  sockets, files, timers
  cores         src/broker  src/swim  src/sync  src/replica  src/query  src/bridge  src/discovery
                                                       no I/O; never import each other
  wire          src/mqtt  src/metrics
  leaf          src/shared
In the broker, each folder above those behind it: client, session, retained, routing, message.
A layer imports only from the layers below its own (docs/architecture.md).`;

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

/** The entries of the broker core, and the class that they call. */
const TURN_OWNERS = [
  'work-budget.ts',
  'broker.ts',
  'administration.ts',
  'moving-sessions.ts',
  'client/client.ts',
  'client/in-process-subscriber.ts',
].map((name) => `src/broker/${name}`);
const CHANGES_TURN =
  /\.(enter|beginTurn)\(|\b(now|workLeft)\s*[-+]?=[^=>]|\b(now|workLeft)(\+\+|--)/;
/** Folders of a layer that have an order: each imports only those before it, and the files beside them. */
const FOLDER_ORDERS: Readonly<Record<string, readonly string[]>> = {
  broker: ['message', 'routing', 'retained', 'session', 'client'],
  node: ['status', 'bridges', 'replication', 'cluster'],
};

/** Words that make a sentence a riddle: name the actor, the thing and what happens. */
const RIDDLES =
  /\b(told|tells?|whoever|nobody|anybody|somebody|unsaid)\b|\bstands\b(?! for)|what bec[ao]mes? of/i;

/** Tests in these folders move a clock, or wait for something that comes. */
const FOLDERS_WITHOUT_SLEEP = ['unit', 'conformance', 'contract', 'model', 'simulation', 'fuzz'];
const SLEEPS = /timers\/promises|=>\s*setTimeout\(/;

const sources = ['.ts', '.tsx', '.cts'].flatMap((ending) => filesUnder('src', ending));
const programs = [
  ...filesUnder('bin', '.ts'),
  ...filesUnder('release', '.ts'),
  'src/dashboard/main.tsx',
  'src/embed/index.ts',
];
/** Files that replace a package in the bundle. */
const shims = [...read('build.mjs').matchAll(/'\.\/(src\/shims\/[^']+)'/g)].map(
  ([, path]) => path ?? '',
);
const tests = filesUnder('test', '.ts');
const documents = [
  ...filesUnder('docs', '.md'),
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
];

test('a layer imports only what lies below it', (t) => {
  t.diagnostic(`layers and what each imports:\n${layerTable()}`);
  const wrong: string[] = [];
  for (const file of sources) {
    const layer = layerOf(file);
    const rule = rules[layer];
    if (rule === undefined) {
      wrong.push(`${file}: no layer is called ${layer}`);
      continue;
    }
    for (const { target, isRelative } of importsOf(file)) {
      if (!isAllowed(rule, layer, target, isRelative)) wrong.push(`${file} imports ${target}`);
    }
  }
  assertNone(wrong, PICTURE);
});

test('no circle of imports leaves its folder, and none exists when the program runs', (t) => {
  const cycles = importCycles(sources, true);
  for (const cycle of cycles) t.diagnostic(`types in a circle: ${cycle.join(' ')}`);
  if (cycles.length === 0) t.diagnostic('no circle of imports');
  const wide = cycles.filter((cycle) => new Set(cycle.map((file) => dirname(file))).size > 1);
  assertNone(
    wide.map((cycle) => cycle.join('\n    ')),
    'Move what both files need into a third file, or declare an interface in the lower one.',
  );
  assert.deepEqual(importCycles(sources, false), []);
});

test('a core calls no clock, timer, random number or promise', () => {
  const wrong: string[] = [];
  for (const file of sources.filter((source) => PURE_LAYERS.includes(layerOf(source)))) {
    const code = withoutCommentsAndTexts(read(file));
    for (const banned of BANNED_IN_CORES) {
      if (banned.test(code)) wrong.push(`${file}: ${banned.source}`);
    }
  }
  assertNone(
    wrong,
    'Take the time as an argument, and the rest as a port that an adapter implements.',
  );
});

test('time and work enter the broker core in one place', () => {
  const wrong = sources
    .filter((file) => layerOf(file) === 'broker' && !TURN_OWNERS.includes(file))
    .filter((file) => CHANGES_TURN.test(withoutCommentsAndTexts(read(file))));
  assertNone(wrong, 'Only an entry calls enter(); every other file reads the WorkBudget.');
});

test('a folder of the broker, or of the node, imports only folders below it', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const layer = layerOf(file);
    const order = FOLDER_ORDERS[layer] ?? [];
    const rank = order.indexOf(folderOf(file));
    for (const { target } of importsOf(file)) {
      if (rank === -1 || layerOf(target) !== layer) continue;
      if (order.indexOf(folderOf(target)) > rank) wrong.push(`${file} imports ${target}`);
    }
  }
  assertNone(
    wrong,
    `From the bottom: ${JSON.stringify(FOLDER_ORDERS)}, then the files beside them.`,
  );
});

test('every source file is reached from a program', () => {
  const reached = reachableFrom([...programs, ...shims]);
  assertNone(
    sources.filter((file) => !reached.has(file)),
    'Delete what no program imports.',
  );
});

test('a node that starts loads no code of the other commands', () => {
  const loaded = reachableFrom(['bin/shoal.ts'], ({ isType, isLate }) => !isType && !isLate);
  assertNone(
    [...loaded].filter((file) => /^src\/cli\/(commands\/(?!run\.)|views\/)/.test(file)),
    'List the command in src/cli/subcommands.ts only: its code would take memory in every node.',
  );
});

test('a test imports from its own folder, test/support and the sources only', () => {
  const wrong: string[] = [];
  for (const file of tests) {
    const [, folder = ''] = file.split('/');
    for (const { target, isRelative } of importsOf(file)) {
      const [top, other = ''] = target.split('/');
      if (!isRelative || top !== 'test' || other === 'support') continue;
      if (other !== folder) wrong.push(`${file} imports ${target}`);
    }
  }
  assertNone(wrong, 'Move what tests share to test/support.');
});

test('no test sleeps to see that nothing happens', () => {
  const wrong = tests.filter(
    (file) => FOLDERS_WITHOUT_SLEEP.includes(file.split('/')[1] ?? '') && SLEEPS.test(read(file)),
  );
  assertNone(wrong, 'Move a clock, or send a marker behind the thing that must not come.');
});

test('every file begins with its purpose and stays small', () => {
  const wrong: string[] = [];
  for (const file of [...sources, ...programs, ...tests]) {
    const text = read(file).replace(/^#!.*\n/, '');
    const isTest = file.endsWith('.test.ts');
    if (!isTest && !/^\/[/*]/.test(text)) wrong.push(`${file}: no comment at its head`);
    const lines = text.split('\n').length - 1;
    if (lines > LINES_MAX && file !== GENERATED)
      wrong.push(`${file}: ${lines} lines, of ${LINES_MAX} allowed`);
  }
  assertNone(wrong, 'Biome limits functions to 70 lines (biome.json).');
});

test('a comment is above what it describes', () => {
  const stacked = /\*\/\n *(\/\*\*.*)/g;
  const wrong = [...sources, ...programs, ...tests].flatMap((file) =>
    [...read(file).matchAll(stacked)].map(([, comment]) => `${file}: ${comment}`),
  );
  assertNone(wrong, 'Another comment is above it: move one of them to what it describes.');
});

test('sources and pages use plain words', () => {
  const wrong: string[] = [];
  for (const file of [...sources, ...programs, ...documents]) {
    for (const [index, line] of read(file).split('\n').entries()) {
      const word = RIDDLES.exec(line)?.[0];
      if (word !== undefined) wrong.push(`${file}:${index + 1}: ${word}`);
    }
  }
  assertNone(
    wrong,
    "Write a subject, an active verb and the field's noun (CONTRIBUTING.md, Words).",
  );
});

test('every file that a page names exists', () => {
  const wrong: string[] = [];
  for (const document of documents) {
    const text = read(document);
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => normalize(join(dirname(document), target)));
    // A topic like test/hello is no path: a path under test/ or bin/ has its ending.
    const named = [
      ...text.matchAll(/\b(?:src|docs)\/[\w./-]*\w|\b(?:test|bin)\/[\w./-]*\.(?:ts|md)\b/g),
    ].map(([path]) => path);
    for (const path of [...links, ...named]) {
      if (!existsSync(path)) wrong.push(`${document} names ${path}`);
    }
  }
  assertNone(wrong, 'Correct the path.');
});

test('what docs/architecture.md names in a file is there', () => {
  const named = read('docs/architecture.md').matchAll(
    /`([^`]+)` (?:in|at the top of) `(src\/[^`]+)`/g,
  );
  const wrong = [...named].filter(([, name = '', file = '']) => !read(file).includes(name));
  assertNone(
    wrong.map(([text]) => text),
    'Correct the table in docs/architecture.md.',
  );
});

test('the index of decisions lists each record once, with its title', () => {
  const index = read('docs/decisions/README.md');
  const listed = [...index.matchAll(/^- \[(\d{4})\]\((\S+)\) (.*)$/gm)].map(
    ([, number, file, title]) => `${file}: # ${number} ${title}`,
  );
  const records = filesUnder('docs/decisions', '.md')
    .filter((file) => !file.endsWith('README.md'))
    .map((file) => `${basename(file)}: ${read(file).split('\n', 1)[0]}`);
  const missing = records.filter((record) => !listed.includes(record));
  assertNone(missing, 'List it in docs/decisions/README.md with the title of its first line.');
  assert.equal(listed.length, records.length);
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
  assertNone(missing, 'Run: node .ci/complete-lock.mjs');
});

interface LockEntry {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function assertNone(wrong: readonly string[], advice: string): void {
  assert.ok(wrong.length === 0, `\n  ${wrong.join('\n  ')}\n${advice}`);
}

function isAllowed(rule: LayerRule, layer: string, target: string, isRelative: boolean): boolean {
  if (isRelative) return layerOf(target) === layer || rule.layers.includes(layerOf(target));
  if (rule.packages.includes(target)) return true;
  const isNode = target.startsWith('node:') || builtinModules.includes(target);
  return isNode && rule.packages.includes('node:*');
}

/** `src/mqtt/framer.ts` is in mqtt. */
function layerOf(file: string): string {
  const [top, second = ''] = file.split('/');
  return top === 'src' ? second : (top ?? '');
}

/** `src/broker/client/client.ts` is in client; a file beside the folders is in ''. */
function folderOf(file: string): string {
  const [, , folder = '', name] = file.split('/');
  return name === undefined ? '' : folder;
}

/** Each layer with its files and the layers that they import, from the top to the bottom. */
function layerTable(): string {
  const rows = Object.keys(rules)
    .reverse()
    .map((layer) => {
      const files = sources.filter((file) => layerOf(file) === layer);
      const below = new Set(
        files.flatMap((file) =>
          importsOf(file)
            .filter(({ target, isRelative }) => isRelative && layerOf(target) !== layer)
            .map(({ target }) => layerOf(target)),
        ),
      );
      const count = `${files.length} files`.padStart(9);
      return files.length === 0
        ? ''
        : `  ${layer.padEnd(8)} ${count}  -> ${[...below].sort().join(' ') || 'nothing'}`;
    });
  return rows.filter((row) => row !== '').join('\n');
}
