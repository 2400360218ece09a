// The Debian packages: program, unit, configuration, completion and man page, built by dpkg-deb. One needs
// Node of the distribution; those of an architecture contain the single executable, for distributions whose
// Node is too old. They have one name, so that each replaces the other. What they do to a machine is in
// release/debian.
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
import { subcommands } from '../src/cli/subcommands.ts';
import { manPage } from './man-page.ts';
import { type ReleaseContext, runProgram, withFolder } from './release-context.ts';

/** As Debian's own tools find it. */
const { DEBFULLNAME: name = 'The authors of Shoal', DEBEMAIL: email = 'shoal@localhost' } =
  process.env;
const MAINTAINER = `${name} <${email}>`;
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
const CONFIGURATION = 'etc/shoal/shoal.toml';
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/shoal',
  zsh: 'usr/share/zsh/vendor-completions/_shoal',
  fish: 'usr/share/fish/vendor_completions.d/shoal.fish',
} as const;

interface Flavour {
  readonly architecture: string;
  readonly depends: string;
  /** The command of the unit. */
  readonly node: string | undefined;
  readonly program: string;
  /** Puts the program into the tree. */
  readonly place: (tree: string) => void;
  readonly nodeLicence?: Buffer;
}

/** @returns the names of the files that it has made in `out` */
export async function makeDeb(context: ReleaseContext): Promise<string[]> {
  const file = await build(context, {
    architecture: 'all',
    depends: 'nodejs (>= 20.12)',
    node: '/usr/bin/node',
    program: '/usr/lib/shoal/shoal.js',
    place: (tree) => {
      put(tree, 'usr/lib/shoal/shoal.js', readFileSync(join(context.out, 'shoal.js')), 0o755);
      mkdirSync(join(tree, 'usr/bin'), { recursive: true });
      symlinkSync('../lib/shoal/shoal.js', join(tree, 'usr/bin/shoal'));
    },
  });
  return [file];
}

/** @param executable path of the single executable @returns the name of the file in `out` */
export function makeExecutableDeb(
  context: ReleaseContext,
  architecture: string,
  executable: string,
  nodeLicence: Buffer,
): Promise<string> {
  return build(context, {
    architecture,
    depends: 'libc6 (>= 2.28), libstdc++6, libgcc-s1, libatomic1',
    node: undefined,
    program: '/usr/bin/shoal',
    place: (tree) => put(tree, 'usr/bin/shoal', readFileSync(executable), 0o755),
    nodeLicence,
  });
}

async function build(context: ReleaseContext, flavour: Flavour): Promise<string> {
  const { out, version, sourceDate } = context;
  const file = `shoal_${version}_${flavour.architecture}.deb`;
  await withFolder((tree) => {
    // The folder becomes the root of the package.
    chmodSync(tree, 0o755);
    flavour.place(tree);
    writeService(context, flavour, tree);
    writeDocuments(context, flavour, tree);
    writeControl(context, flavour, tree);
    // The lower levels of xz pack a program of 118 MB in a quarter of the time.
    runProgram(
      'dpkg-deb',
      ['--root-owner-group', '-Zxz', '-z2', '--build', tree, join(out, file)],
      { env: { SOURCE_DATE_EPOCH: `${sourceDate}` } },
    );
  });
  return file;
}

function writeService({ root, out }: ReleaseContext, flavour: Flavour, tree: string): void {
  const { node, program } = flavour;
  const bundle = join(out, 'shoal.js');
  put(tree, CONFIGURATION, readFileSync(join(root, 'release/debian/shoal.toml')));
  const unit = unitText({
    ...{ name: 'shoal', user: 'shoal', node, program },
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

function writeDocuments(context: ReleaseContext, { nodeLicence }: Flavour, tree: string): void {
  const { root, out, version, sourceDate } = context;
  // No command runs, so that no command asks the context for anything.
  const commands = commandTree(buildProgram({} as CliContext, subcommands));
  put(tree, 'usr/share/man/man1/shoal.1.gz', packed(manPage(commands, version, sourceDate)));
  const documents = 'usr/share/doc/shoal';
  put(tree, `${documents}/copyright`, readFileSync(join(root, 'release/debian/copyright')));
  put(tree, `${documents}/changelog.gz`, packed(debianChangelog(version, sourceDate)));
  for (const file of ['LICENSES.txt', 'CHANGES.md', 'shoal.cdx.json']) {
    put(tree, `${documents}/${file}.gz`, packed(readFileSync(join(out, file))));
  }
  if (nodeLicence !== undefined) {
    put(tree, `${documents}/LICENSE-node.gz`, packed(nodeLicence));
  }
}

/** The form that Debian's tools read; what changed is in CHANGES.md. */
function debianChangelog(version: string, sourceDate: number): string {
  const date = new Date(sourceDate * 1000).toUTCString().replace('GMT', '+0000');
  const signature = ` -- ${MAINTAINER}  ${date}`;
  return `shoal (${version}) unstable; urgency=medium\n\n  * Release ${version}: see CHANGES.md.gz.\n\n${signature}\n`;
}

function writeControl({ root, version }: ReleaseContext, flavour: Flavour, tree: string): void {
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
    `Architecture: ${flavour.architecture}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${kilobytes}`,
    `Depends: ${flavour.depends}, adduser, init-system-helpers (>= 1.54~)`,
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
