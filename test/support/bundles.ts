// Other bundles than the one of this source: that of an earlier commit, and that of a source with a fault in it.

import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
/** What a bundle is built from. */
export const SOURCES = ['src', 'bin', 'build.mjs', 'package.json', 'tsconfig.json'];

const CACHE = join(ROOT, 'node_modules/.cache');
/** The last commit before nodes acknowledged datagrams on the sync channel: the nodes of a mixed cluster differ. */
export const COMMIT_BEFORE = 'd5c2a80867418ea5be2fac0c5cca3e98aea309cc';

/** @returns the bundle of a commit if bundleOfCommit() has built it */
export function builtBundleOf(commit: string): string | undefined {
  const cached = join(CACHE, `shoal-${commit}.js`);
  return existsSync(cached) ? cached : undefined;
}

/**
 * Builds the bundle of a commit, once.
 * @returns undefined if this clone does not have the commit: it is shallow, or no clone at all
 */
export function bundleOfCommit(commit: string): string | undefined {
  const built = builtBundleOf(commit);
  if (built !== undefined) return built;
  const cached = join(CACHE, `shoal-${commit}.js`);
  const git = spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT });
  if (git.status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'shoal-commit-'));
  try {
    const limits = { maxBuffer: 2 ** 30 };
    const files = [commit, '--', ...SOURCES, 'package-lock.json'];
    const archive = execFileSync('git', ['archive', ...files], { cwd: ROOT, ...limits });
    execFileSync('tar', ['-x', '-C', folder], { input: archive });
    // Its dependencies are not those of this source.
    execFileSync('npm', ['ci', '--silent'], { cwd: folder });
    mkdirSync(CACHE, { recursive: true });
    copyFileSync(buildIn(folder), cached);
    return cached;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the file that the build makes */
export function buildIn(folder: string): string {
  const flags = ['build.mjs', '--quiet'];
  const build = spawnSync(process.execPath, flags, { cwd: folder, encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stderr);
  return join(folder, 'dist/shoal.js');
}
