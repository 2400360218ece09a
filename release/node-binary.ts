// The Node that the container image and the single executable contain, from the package that npm's `node`
// installs, checked against the hash below, without its debug symbols.
// To update: set the version, and the two hashes that `npm view NAME@VERSION dist.integrity` prints.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './release-context.ts';

export const NODE_VERSION = '26.12.1';

/** Architectures of a release, by the names of Node. */
export type Architecture = 'x64' | 'arm64';
export const architectures: readonly Architecture[] = ['x64', 'arm64'];

/** As Debian and Docker call them. */
export const DEBIAN_NAMES: Readonly<Record<Architecture, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
};

interface NodePackage {
  readonly integrity: string;
  /** Of binutils; it knows only its own architecture. */
  readonly strip: string;
}

const packages: Readonly<Record<Architecture, NodePackage>> = {
  x64: {
    integrity:
      'sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A==',
    strip: 'x86_64-linux-gnu-strip',
  },
  arm64: {
    integrity:
      'sha512-8Oxs6Y7rDcKufVIM/zYRSwytj46WOrZk7yFCLTKDcs17bBjAeD9HMAqo97hMfMyxozIud0S4vZCs5WB/3iavNQ==',
    strip: 'aarch64-linux-gnu-strip',
  },
};

export interface NodeBinary {
  /** Path of the program. */
  readonly program: string;
  readonly licence: Buffer;
}

export function stripProgram(architecture: Architecture): string {
  return packages[architecture].strip;
}

/** @param folder takes the files @throws Error if the package is not the one that was checked */
export function nodeBinary(architecture: Architecture, folder: string): NodeBinary {
  const { integrity, strip } = packages[architecture];
  const place = join(folder, `node-${architecture}`);
  mkdirSync(place);
  const name = `node-linux-${architecture}@${NODE_VERSION}`;
  runProgram('npm', ['pack', '--silent', name], { cwd: place });
  const [archive = ''] = readdirSync(place);
  const hash = createHash('sha512')
    .update(readFileSync(join(place, archive)))
    .digest('base64');
  if (`sha512-${hash}` !== integrity) throw new Error(`${name} has another hash: sha512-${hash}`);
  runProgram('tar', ['-xzf', archive, 'package/bin/node', 'package/LICENSE'], { cwd: place });
  const program = join(place, 'package/bin/node');
  runProgram(strip, [program]);
  return { program, licence: readFileSync(join(place, 'package/LICENSE')) };
}
