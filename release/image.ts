// The container images: Node with the libraries that it needs, nothing else, and on it docs/deploy/Dockerfile,
// built by buildah without running anything, so that every machine builds for every architecture. The
// archives are Docker's format, since OCI's has no HEALTHCHECK; docker and podman load both.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  type Architecture,
  architectures,
  DEBIAN_NAMES,
  nodeBinary,
  stripProgram,
} from './node-binary.ts';
import { type ReleaseContext, runProgram, withFolder } from './release-context.ts';

const SUITE = 'trixie';
/** Of Debian, for Node. */
const LIBRARIES = 'libc6,libstdc++6,libgcc-s1,libatomic1';
/** What a library package brings besides: converters of character sets, and documents without licences. */
const UNNEEDED = [
  '*/gconv',
  './usr/share/lintian',
  './usr/share/gcc',
  './usr/share/gdb',
  './dev/*',
];
const ACCOUNTS = {
  'etc/passwd': 'root:x:0:0::/root:/sbin/nologin\nshoal:x:65532:65532::/data:/sbin/nologin\n',
  'etc/group': 'root:x:0:\nshoal:x:65532:\n',
};

export const imageNeeds = [
  'buildah',
  'mmdebstrap',
  'npm',
  'tar',
  ...architectures.map(stripProgram),
];

/** @returns the names of the files that it has made in `out` */
export function makeImages(context: ReleaseContext): Promise<string[]> {
  return withFolder((folder) =>
    architectures.map((architecture) => makeImage(context, architecture, folder)),
  );
}

function makeImage(context: ReleaseContext, architecture: Architecture, folder: string): string {
  const { root, out, version, sourceDate } = context;
  const arch = DEBIAN_NAMES[architecture];
  const base = makeBase(architecture, folder);
  const buildah = (...words: string[]): string =>
    runProgram('buildah', ['--storage-driver=vfs', ...storageIn(folder), ...words]).trim();
  const dates = `--timestamp=${sourceDate}`;

  const container = buildah('from', `--arch=${arch}`, 'scratch');
  buildah('copy', '--chown=0:0', container, base, '/');
  buildah('config', '--env=PATH=/usr/local/bin', container);
  buildah('commit', '--format=docker', dates, container, `base-${arch}`);

  const contextFolder = join(folder, 'context');
  mkdirSync(contextFolder, { recursive: true });
  for (const file of ['shoal.js', 'LICENSES.txt']) {
    copyFileSync(join(out, file), join(contextFolder, file));
  }
  copyFileSync(join(root, 'LICENSE'), join(contextFolder, 'LICENSE'));
  const image = `shoal:${version}`;
  buildah(
    ...['build', '--format=docker', `--arch=${arch}`, dates, '--pull=never'],
    ...[`--build-arg=BASE=localhost/base-${arch}`, ...labels(version)],
    ...['-f', join(root, 'docs/deploy/Dockerfile'), '-t', image, contextFolder],
  );
  const archive = join(folder, `${arch}.tar`);
  buildah('push', image, `docker-archive:${archive}:${image}`);
  const file = `shoal-${version}-image-${arch}.tar.gz`;
  writeFileSync(join(out, file), gzipSync(readFileSync(archive)));
  return file;
}

/** The images of the user stay untouched. */
export function storageIn(folder: string): string[] {
  return [`--root=${join(folder, 'storage')}`, `--runroot=${join(folder, 'run')}`];
}

function labels(version: string): string[] {
  const texts = { title: 'shoal', version, licenses: 'Apache-2.0' };
  return Object.entries(texts).map(
    ([key, text]) => `--label=org.opencontainers.image.${key}=${text}`,
  );
}

/** A folder with Node, its libraries and their licences, as the root of an image. */
function makeBase(architecture: Architecture, folder: string): string {
  const base = join(folder, `base-${architecture}`);
  const archive = join(folder, `libraries-${architecture}.tar`);
  mkdirSync(base);
  runProgram('mmdebstrap', [
    ...['--variant=extract', `--architectures=${DEBIAN_NAMES[architecture]}`],
    ...[`--include=${LIBRARIES}`, SUITE, archive],
  ]);
  const without = UNNEEDED.map((pattern) => `--exclude=${pattern}`);
  const kept = ['./usr/lib*', './usr/share/doc/*/copyright'];
  runProgram('tar', ['-xf', archive, '-C', base, '--wildcards', ...without, ...kept]);
  for (const name of readdirSync(join(base, 'usr')).filter((each) => each.startsWith('lib'))) {
    symlinkSync(`usr/${name}`, join(base, name));
  }
  const { program, licence } = nodeBinary(architecture, folder);
  for (const path of ['usr/local/bin', 'etc', 'licenses', 'mnt', 'run', 'tmp']) {
    mkdirSync(join(base, path), { recursive: true });
  }
  chmodSync(join(base, 'tmp'), 0o1777);
  cpSync(program, join(base, 'usr/local/bin/node'));
  writeFileSync(join(base, 'licenses/LICENSE-node.txt'), licence);
  for (const [path, text] of Object.entries(ACCOUNTS)) writeFileSync(join(base, path), text);
  return base;
}
