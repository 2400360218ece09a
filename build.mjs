// Makes dist/shoal.js, the one file that is the product: bundled, minified, CommonJS so that it runs
// by itself from any folder. Beside it its source map and the licences of what is inside.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const outputFolder = join(root, 'dist');
const outputFile = join(outputFolder, 'shoal.js');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** What stands in for a module of a library. */
const standIns = {
  // A list of buffers that is a stream as well: mqtt-packet is given one buffer at a time.
  'bl/bl.js': `module.exports = () => ({
    bytes: Buffer.alloc(0),
    get length() { return this.bytes.length; },
    append(more) { this.bytes = this.bytes.length > 0 ? Buffer.concat([this.bytes, more]) : more; },
    consume(count) { this.bytes = this.bytes.subarray(count); },
    slice(start, end) { return this.bytes.subarray(start, end); },
    toString(encoding, start, end) { return this.bytes.toString(encoding, start, end); },
    readUInt8(at) { return this.bytes.readUInt8(at); },
    readUInt16BE(at) { return this.bytes.readUInt16BE(at); },
    readUInt32BE(at) { return this.bytes.readUInt32BE(at); },
  });`,
  // Nobody reads debug output.
  'debug/src/index.js': 'module.exports = () => Object.assign(() => {}, { enabled: false });',
  // Compression is off, so that only its name is asked for.
  'ws/lib/permessage-deflate.js': "module.exports = { extensionName: 'permessage-deflate' };",
  // Events as browsers have them: ours are Node's.
  'ws/lib/event-target.js': 'module.exports = { EventTarget: {} };',
  // A WebSocket as one of Node's streams, which nobody asks for.
  'ws/lib/stream.js': '',
  // What it comes to on every Node since 1.8.
  'process-nextick-args/index.js': 'module.exports = process;',
  // No option is a date: that a value is one is enough to refuse it.
  'smol-toml/dist/date.js': 'export class TomlDate { isValid() { return true; } }',
  // The log decides on colour itself.
  'chalk/source/vendor/supports-color/index.js': 'export default { stdout: false };',
};

/**
 * Functions that a broker has no use for: commands that are programs of their own, options that shut
 * each other out, keys in JSON, WebSocket clients, and packets that it only sends or only gets.
 */
const leftOut = {
  'commander/lib/command.js':
    '_executeSubCommand _checkForMissingExecutable _conflictingOption _callParseArg hook addHelpText ' +
    'restoreStateBeforeParse storeOptionsAsProperties missingMandatoryOptionValue',
  'jose/dist/webapi/lib/key.js': 'normalizeJwk message',
  'mqtt-packet/parser.js':
    '_parseConnack _parsePublish _parseSuback _parseUnsuback _parseConfirmation _parseAuth',
  'mqtt-packet/writeToStream.js': 'connect publish confirmation subscribe unsubscribe auth',
  'ws/lib/websocket.js': 'initAsClient emitErrorAndClose netConnect tlsConnect abortHandshake ping',
  'ws/lib/extension.js': 'parse format',
  'ws/lib/sender.js': 'getBlobData ping',
  'ws/lib/receiver.js': 'decompress',
};

/** Of the texts in it only the codes are asked for. */
const REASON_CODES = 'mqtt-packet/constants.js';

/** A library that has changed so that anything of this isn't found fails the build. */
const slimming = {
  name: 'slimming',
  setup(builder) {
    const missing = new Set([...Object.keys(standIns), ...Object.keys(leftOut), REASON_CODES]);
    builder.onLoad({ filter: /node_modules/ }, ({ path }) => {
      const file = path.replaceAll('\\', '/').replace(/^.*node_modules\//, '');
      missing.delete(file);
      if (file in standIns) return { contents: standIns[file] };
      if (file === REASON_CODES) {
        return { contents: readFileSync(path, 'utf8').replace(/(0x\w\w): '.*'/g, '$1: 1') };
      }
      if (!(file in leftOut)) return undefined;
      const source = readFileSync(path, 'utf8').replace(/^\s*debug\(.*\)$/gm, '');
      return { contents: leftOut[file].split(' ').reduce(withoutBody, source) };
    });
    builder.onEnd(() => {
      if (missing.size > 0) throw new Error(`not in the bundle any more: ${[...missing]}`);
    });
  },
};

/** A function of the file, or a method, which ends as far to the right as it begins. */
function withoutBody(source, name) {
  const pattern = new RegExp(`^( *)((?:function )?${name} ?\\([^()]*\\) \\{)\n[^]*?\n\\1\\}$`, 'm');
  if (!pattern.test(source)) throw new Error(`no function ${name} to leave out`);
  return source.replace(pattern, "$1$2 throw Error('left out'); }");
}

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['bin/shoal.ts'],
  outfile: outputFile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minify: true,
  keepNames: false,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  metafile: true,
  define: { SHOAL_VERSION: JSON.stringify(version) },
  plugins: [slimming],
  logLevel: 'warning',
});

mkdirSync(outputFolder, { recursive: true });
// Here, and only here, a package.json above says "module".
writeFileSync(join(outputFolder, 'package.json'), '{ "type": "commonjs" }\n');
const packages = bundledPackages(Object.keys(metafile.inputs));
writeFileSync(join(outputFolder, 'LICENSES.txt'), licenceTexts(packages));
if (!process.argv.includes('--quiet')) report(metafile);

function bundledPackages(inputs) {
  const folders = inputs.flatMap((input) => {
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
      throw new Error(`${folder} is bundled but tells no licence`);
    }
    const text = file === undefined ? '' : readFileSync(resolve(root, folder, file), 'utf8').trim();
    return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
  });
  const own = existsSync(join(root, 'LICENSE')) ? 'Shoal is under the Apache License 2.0.\n' : '';
  const rule = `\n${'-'.repeat(78)}\n\n`;
  return [`${own}shoal.js holds these packages:\n`, ...parts].join(rule);
}

function report({ outputs }) {
  const output = Object.entries(outputs).find(([name]) => name.endsWith('shoal.js'))?.[1];
  const sizes = new Map();
  for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
    const part =
      /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ??
      /^(src\/[^/]+)/.exec(input)?.[1] ??
      input;
    sizes.set(part, (sizes.get(part) ?? 0) + bytesInOutput);
  }
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1).padStart(7)} KB`;
  const compressed = gzipSync(readFileSync(outputFile)).length;
  console.log(`dist/shoal.js${kilobytes(output.bytes)}, gzip${kilobytes(compressed)}`);
  for (const [part, bytes] of [...sizes].sort((a, b) => b[1] - a[1]).slice(0, 12)) {
    console.log(`  ${kilobytes(bytes)}  ${part}`);
  }
}
