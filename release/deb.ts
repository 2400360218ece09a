// The Debian package: program, unit, configuration, completion and man page, built by dpkg-deb. It needs
// Node of the distribution. What the package does to a machine is in release/debian.
// Invariant: the same sources and time make the same bytes. Source: deb(5), Debian Policy 4.6.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { commandTree } from '../src/cli/completion/command-tree.ts';
import type { CliContext } from '../src/cli/context.ts';
import { buildProgram } from '../src/cli/program.ts';
import { unitText } from '../src/cli/service/unit.ts';
import { manPage } from './man-page.ts';
import { type ReleaseContext, runProgram, withFolder } from './release-context.ts';

/** As Debian's own tools find it. */
const { DEBFULLNAME: name = 'The authors of Shoal', DEBEMAIL: email = 'shoal@localhost' } =
  process.env;
const MAINTAINER = `${name} <${email}>`;
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
const CONFIGURATION = 'etc/shoal/shoal.toml';
const PROGRAM = 'usr/lib/shoal/shoal.js';
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/shoal',
  zsh: 'usr/share/zsh/vendor-completions/_shoal',
  fish: 'usr/share/fish/vendor_completions.d/shoal.fish',
} as const;

/** @returns the names of the files that it has made in `out` */
export async function makeDeb(context: ReleaseContext): Promise<string[]> {
  const { out, version, sourceDate } = context;
  const file = `shoal_${version}_all.deb`;
  await withFolder((tree) => {
    // The folder becomes the root of the package.
    chmodSync(tree, 0o755);
    writeProgram(context, tree);
    writeDocuments(context, tree);
    writeControl(context, tree);
    runProgram('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', tree, join(out, file)], {
      env: { SOURCE_DATE_EPOCH: `${sourceDate}` },
    });
  });
  return [file];
}

function writeProgram({ root, out }: ReleaseContext, tree: string): void {
  const bundle = join(out, 'shoal.js');
  put(tree, PROGRAM, readFileSync(bundle), 0o755);
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/shoal/shoal.js', join(tree, 'usr/bin/shoal'));
  put(tree, CONFIGURATION, readFileSync(join(root, 'release/debian/shoal.toml')));
  const unit = unitText({
    ...{ name: 'shoal', user: 'shoal', node: '/usr/bin/node', program: `/${PROGRAM}` },
    ...{ flags: [`-config=/${CONFIGURATION}`], ownFolder: undefined, memoryMax: '80%' },
    ...{ descriptors: 65_536, hasLowPort: false },
  });
  put(tree, 'usr/lib/systemd/system/shoal.service', documented(unit));
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    put(tree, path, runProgram(process.execPath, [bundle, 'completion', shell]));
  }
}

function documented(unit: string): string {
  return unit.replace(/^Description=.*$/m, '$&\nDocumentation=man:shoal(1)');
}

function writeDocuments({ root, out, version, sourceDate }: ReleaseContext, tree: string): void {
  // No command runs, so that no command asks the context for anything.
  const commands = commandTree(buildProgram({} as CliContext));
  put(tree, 'usr/share/man/man1/shoal.1.gz', packed(manPage(commands, version, sourceDate)));
  const documents = 'usr/share/doc/shoal';
  put(tree, `${documents}/copyright`, readFileSync(join(root, 'release/debian/copyright')));
  put(tree, `${documents}/changelog.gz`, packed(debianChangelog(version, sourceDate)));
  for (const file of ['LICENSES.txt', 'CHANGES.md', 'shoal.cdx.json']) {
    put(tree, `${documents}/${file}.gz`, packed(readFileSync(join(out, file))));
  }
}

/** The form that Debian's tools read; what changed is in CHANGES.md. */
function debianChangelog(version: string, sourceDate: number): string {
  const date = new Date(sourceDate * 1000).toUTCString().replace('GMT', '+0000');
  const signature = ` -- ${MAINTAINER}  ${date}`;
  return `shoal (${version}) unstable; urgency=medium\n\n  * Release ${version}: see CHANGES.md.gz.\n\n${signature}\n`;
}

function writeControl({ root, version }: ReleaseContext, tree: string): void {
  const files = filesIn(tree);
  const kilobytes = files.reduce(
    (sum, file) => sum + Math.ceil(statSync(join(tree, file)).size / 1024),
    0,
  );
  const sums = files.map((file) => `${md5(readFileSync(join(tree, file)))}  ${file}\n`);
  put(tree, 'DEBIAN/md5sums', sums.join(''));
  put(tree, 'DEBIAN/conffiles', `/${CONFIGURATION}\n`);
  for (const script of SCRIPTS) {
    put(tree, `DEBIAN/${script}`, readFileSync(join(root, 'release/debian', script)), 0o755);
  }
  const control = [
    'Package: shoal',
    `Version: ${version}`,
    'Architecture: all',
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${kilobytes}`,
    'Depends: nodejs (>= 20.12), adduser, init-system-helpers (>= 1.54~)',
    'Section: net',
    'Priority: optional',
    'Description: MQTT broker that forms a cluster by itself',
    ' Shoal is a broker for MQTT 3.1, 3.1.1 and 5.0. Nodes that share a token form a',
    ' cluster without a leader: gossip finds the other nodes and detects failures,',
    ' and each message reaches the clients of all nodes.',
    '',
  ];
  put(tree, 'DEBIAN/control', control.join('\n'));
}

/** @param path below `tree` */
function put(tree: string, path: string, content: string | Buffer, mode = 0o644): void {
  const place = join(tree, path);
  mkdirSync(dirname(place), { recursive: true, mode: 0o755 });
  writeFileSync(place, content);
  // The umask of the user must not show in the package.
  chmodSync(place, mode);
}

/** Regular files, sorted, relative to the folder. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function packed(content: string | Buffer): Buffer {
  return gzipSync(content, { level: 9 });
}

function md5(content: Buffer): string {
  return createHash('md5').update(content).digest('hex');
}
