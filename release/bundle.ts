// The files that every other artefact is made from: shoal.js with its source map and licences, by
// build.mjs, and the SBOM of what the bundler put into it.

import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ReleaseContext, runProgram, withFolder } from './release-context.ts';
import { type BundledPackage, sbomOf } from './sbom.ts';

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
}

/** @returns the names of the files that it has made in `out` */
export async function makeBundle(context: ReleaseContext): Promise<string[]> {
  const { root, out, version, sourceDate } = context;
  const folders = await withFolder((folder) => {
    const list = join(folder, 'packages.json');
    runProgram(process.execPath, ['build.mjs', '--quiet', `--package-list=${list}`], { cwd: root });
    return JSON.parse(readFileSync(list, 'utf8')) as string[];
  });
  const files = ['shoal.js', 'shoal.js.map', 'LICENSES.txt'];
  for (const file of files) copyFileSync(join(root, 'dist', file), join(out, file));
  const sha256 = createHash('sha256')
    .update(readFileSync(join(out, 'shoal.js')))
    .digest('hex');
  const packages = bundledPackages(root, folders);
  const sbom = sbomOf({ version, sha256, sourceDate }, packages);
  writeFileSync(join(out, 'shoal.cdx.json'), `${JSON.stringify(sbom, undefined, 2)}\n`);
  return [...files, 'shoal.cdx.json'];
}

function bundledPackages(root: string, folders: readonly string[]): BundledPackage[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as LockFile;
  return folders.map((folder) => {
    const about = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    return {
      name: about.name,
      version: about.version,
      license: about.license,
      dependencies: Object.keys(about.dependencies ?? {}),
      integrity: lock.packages[folder]?.integrity ?? '',
    };
  });
}
