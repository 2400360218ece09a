// Builds dist/shoal.js, the one file that is the product, with its source map and the licences of
// the packages in it. The file runs in any folder, as CommonJS and as an ES module. Builds the library of
// the npm package beside it: dist/index.cjs, its ES module, and its types.
// Invariants: a library goes in as it is; what the broker does not need of one is replaced as a whole
// module, by a part of Node or by a typed file of src/shims. The files are complete at every moment: a
// node that starts during a build reads the old file or the new one.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const BYTES_MAX = 1_150_000;
/** An error at load time prints the line that it happened on. */
const LINE_LENGTH_MAX = 800;
/** Writes the folders of all bundled packages, as a JSON array, to this file: for the SBOM of a release. */
const PACKAGE_LIST_FLAG = '--package-list=';

const root = dirname(fileURLToPath(import.meta.url));
const outputFolder = join(root, 'dist');
const outputFile = join(outputFolder, 'shoal.js');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/**
 * The program is a function of `require`. CommonJS provides that; an ES module takes it from Node, by
 * an import in releases before 20.16 and 22.3. docs/decisions/0033 gives the reasons. V8 compiles a function in
 * parentheses at once; without them it would parse the program twice.
 */
const opening = `(program => typeof require === 'function' ? program(require)
: process.getBuiltinModule ? program(process.getBuiltinModule)
: import('node:module').then(({ createRequire }) => program(createRequire(process.execPath)))
)((function (require) {"use strict";`;
const closing = '}));';

/** The dashboard's files as src/http/pages.ts serves them: a browser gets what is in the bundle. */
async function packPages() {
  const folder = join(root, 'src/dashboard');
  const { metafile, outputFiles: built } = await build({
    absWorkingDir: root,
    entryPoints: {
      dashboard: join(folder, 'main.tsx'),
      'dashboard-style': join(folder, 'dashboard.css'),
    },
    outdir: join(outputFolder, 'pages'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const [script, style] = ['.js', '.css'].map((end) =>
    built.find(({ path }) => path.endsWith(end)),
  );
  const html = readFileSync(join(folder, 'index.html'));
  const pages = {
    'index.html': packed('text/html; charset=utf-8', html),
    'dashboard.js': packed('text/javascript; charset=utf-8', script.contents),
    'dashboard.css': packed('text/css; charset=utf-8', style.contents),
  };
  return { pages, inputs: metafile.inputs };
}

function packed(type, contents) {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: contents.length,
  };
  return { type, brotli: brotliCompressSync(contents, { params }).toString('base64') };
}

/** Modules of ws that Shoal does not use, replaced as `alias` replaces packages. */
const unusedModules = [
  [/^\.\/(lib\/)?permessage-deflate(\.js)?$/, './src/shims/permessage-deflate.cts'],
  [/^\.\/(lib\/)?extension(\.js)?$/, './src/shims/websocket-extension.cts'],
  [/^\.\/event-target$/, './src/shims/websocket-events.cts'],
  [/^\.\/lib\/stream\.js$/, './src/shims/websocket-stream.cts'],
];
const withoutUnusedModules = {
  name: 'without unused modules',
  setup({ onResolve }) {
    for (const [filter, shim] of unusedModules) {
      onResolve({ filter }, ({ importer }) =>
        /[\\/]node_modules[\\/]ws[\\/]/.test(importer) ? { path: join(root, shim) } : undefined,
      );
    }
  },
};

const { pages, inputs: pageInputs } = await packPages();
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minify: true,
  lineLimit: LINE_LENGTH_MAX,
  legalComments: 'none',
  metafile: true,
  write: false,
  alias: {
    // bl is a stream besides a list of buffers; Node has the same streams.
    'readable-stream': 'node:stream',
    debug: './src/shims/debug.cts',
    // Both give what Node itself has since release 0.8 and 2.0.
    inherits: './src/shims/inherits.cts',
    'process-nextick-args': 'node:process',
    // Else each module would require them for itself, and look each function up at every call.
    'node:crypto': './src/shims/crypto.ts',
    'node:fs': './src/shims/fs.ts',
    'node:fs/promises': './src/shims/fs-promises.ts',
    'node:net': './src/shims/net.ts',
    'node:os': './src/shims/os.ts',
    'node:path': './src/shims/path.ts',
    'node:perf_hooks': './src/shims/perf-hooks.ts',
    'node:timers/promises': './src/shims/timers-promises.ts',
  },
  plugins: [withoutUnusedModules],
  define: {
    // esbuild shortens numbers, not their names.
    'Number.POSITIVE_INFINITY': '1e999',
    'Number.NEGATIVE_INFINITY': '-1e999',
    SHOAL_VERSION: JSON.stringify(version),
    // As a text: a defined object would be a module that every other one imports.
    SHOAL_PAGES: JSON.stringify(JSON.stringify(pages)),
    // ws would look for native modules in the folders around the file.
    'process.env.WS_NO_BUFFER_UTIL': '"1"',
    'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
  },
  logLevel: 'warning',
};
const { metafile, outputFiles } = await build({
  ...common,
  entryPoints: ['bin/shoal.ts'],
  outfile: outputFile,
  // The opening makes all of it strict; else each of the modules that load later would say so.
  tsconfigRaw: { compilerOptions: { alwaysStrict: false, verbatimModuleSyntax: true } },
  banner: { js: opening },
  footer: { js: closing },
  sourcemap: 'linked',
  sourcesContent: false,
});
const library = await build({
  ...common,
  entryPoints: ['src/embed/index.ts'],
  outfile: join(outputFolder, 'index.cjs'),
});

const [, output] = Object.entries(metafile.outputs).find(([name]) => name.endsWith('shoal.js'));
checkImports('shoal.js', output.imports);
for (const { imports } of Object.values(library.metafile.outputs))
  checkImports('index.cjs', imports);
if (output.bytes > BYTES_MAX) {
  throw new Error(`dist/shoal.js has ${output.bytes} bytes; the budget is ${BYTES_MAX}`);
}
mkdirSync(outputFolder, { recursive: true });
for (const { path, contents } of [...outputFiles, ...library.outputFiles, ...libraryFaces()]) {
  replaceFile(path, contents);
}
const inputs = { ...metafile.inputs, ...library.metafile.inputs, ...pageInputs };
const packages = bundledPackages(inputs);
replaceFile(join(outputFolder, 'LICENSES.txt'), licenceTexts(packages));
const listFlag = process.argv.find((word) => word.startsWith(PACKAGE_LIST_FLAG));
if (listFlag !== undefined) {
  writeFileSync(listFlag.slice(PACKAGE_LIST_FLAG.length), JSON.stringify(packages));
}
if (!process.argv.includes('--quiet')) report(output);

/** Writes a file beside its place and renames it. */
function replaceFile(path, contents) {
  const beside = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(beside, contents);
    renameSync(beside, path);
  } finally {
    rmSync(beside, { force: true });
  }
}

/**
 * The ES module of the library, and its types. The module takes everything from the CommonJS file, so
 * that a program that uses both has one ShoalError.
 */
function libraryFaces() {
  const api = readFileSync(join(root, 'src/embed/api.ts'), 'utf8');
  const values = [...api.matchAll(/^export declare (?:const|function|class) (\w+)/gm)];
  const names = values.map(([, name]) => name).join(', ');
  const module = `import shoal from './index.cjs';\nexport const { ${names} } = shoal;\n`;
  const options = readFileSync(join(root, 'src/embed/api-options.ts'), 'utf8');
  // Since TypeScript 6 a program has the types of Node only if it or a package names them.
  const node = '/// <reference types="node" />\n';
  const types = `${node}${withoutHead(api).replace(/^import .*api-options.*\n/m, '')}\n${withoutHead(options)}`;
  return [
    ['index.mjs', module],
    ['index.d.mts', types],
    ['index.d.cts', types],
  ].map(([name, contents]) => ({ path: join(outputFolder, name), contents }));
}

/** Without the comment that speaks of the sources. */
function withoutHead(text) {
  return text.replace(/^(\/\/.*\n)+\n?/, '');
}

/** What is not in the file has to be in Node. */
function checkImports(file, imports) {
  const names = imports.map(({ path }) => path.replace(/^node:/, ''));
  const missing = names.filter((name) => !builtinModules.includes(name));
  if (missing.length > 0) throw new Error(`dist/${file} imports ${missing.join(', ')}`);
}

/** @returns their folders, relative to this one */
function bundledPackages(inputs) {
  const folders = Object.keys(inputs).flatMap((input) => {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    return match === null ? [] : [match[1]];
  });
  return [...new Set(folders)].sort();
}

function licenceTexts(folders) {
  const parts = folders.map((folder) => {
    const about = JSON.parse(readFileSync(resolve(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(resolve(root, folder)).find((name) => /^licen[cs]e/i.test(name));
    if (file === undefined && about.license === undefined) {
      throw new Error(`${folder} is bundled but states no licence`);
    }
    const text = file === undefined ? '' : readFileSync(resolve(root, folder, file), 'utf8').trim();
    return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
  });
  const own = 'Shoal is under the Apache License 2.0.\n';
  const rule = `\n${'-'.repeat(78)}\n\n`;
  return [`${own}shoal.js and index.cjs contain these packages:\n`, ...parts].join(rule);
}

/** Prints what takes the space: each folder of src, and each package. */
function report({ bytes, inputs }) {
  const sizes = new Map();
  for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
    const part =
      /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ??
      /^(src\/[^/]+)\//.exec(input)?.[1] ??
      input;
    sizes.set(part, (sizes.get(part) ?? 0) + bytesInOutput);
  }
  const kilobytes = (count) => `${(count / 1000).toFixed(1).padStart(7)} KB`;
  const compressed = gzipSync(readFileSync(outputFile)).length;
  console.log(
    `dist/shoal.js${kilobytes(bytes)} of ${BYTES_MAX / 1000}, gzip${kilobytes(compressed)}`,
  );
  for (const [part, count] of [...sizes].sort((a, b) => b[1] - a[1])) {
    console.log(`  ${kilobytes(count)}  ${part}`);
  }
}
