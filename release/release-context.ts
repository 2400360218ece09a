// What every step of a release knows: where the sources are, where the artefacts go, and the one time
// that all of them carry, so that the same commit makes the same bytes.
// Source: reproducible-builds.org/specs/source-date-epoch.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ReleaseContext {
  /** The folder of package.json. */
  readonly root: string;
  /** Takes the artefacts. */
  readonly out: string;
  readonly version: string;
  /** Seconds since 1970 that archives and documents carry. */
  readonly sourceDate: number;
}

/** @throws Error if neither the environment nor git gives a time */
export function sourceDateOf(root: string, environment: NodeJS.ProcessEnv): number {
  const text = environment.SOURCE_DATE_EPOCH ?? git(root, 'log', '-1', '--format=%ct');
  if (!/^\d+$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH=${text} is not a number of seconds`);
  return Number(text);
}

/** @returns what git prints, or '' where the sources are no clone */
export function git(root: string, ...words: readonly string[]): string {
  try {
    return execFileSync('git', words, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

/** Runs a program. @throws Error with what it printed */
export function runProgram(
  command: string,
  words: readonly string[],
  { cwd, env = {} }: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): string {
  try {
    return execFileSync(command, words, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${words.join(' ')} failed:\n${stdout}${stderr}`);
  }
}

/** Calls `use` with a folder that is removed afterwards. */
export async function withFolder<T>(use: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-release-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
