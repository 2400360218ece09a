// Runs the tests: `tsx test/run.ts [file or folder ...]`; without arguments, every *.test.ts under test/
// except test/release, which downloads Node and builds images for minutes.
// SHOAL_TEST_MINUTES limits the time of the run. With SHOAL_NO_SKIPS=1 a skipped test fails the run: CI
// installs everything that tests need, so there each skip is a fault.

import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A message of test/support/progress-reporter.mjs. */
export type Progress =
  | { readonly kind: 'begun' | 'done'; readonly file: string }
  | { readonly kind: 'failed' | 'skipped'; readonly file: string; readonly test: string };

/** Two idle cores need five minutes. */
const MINUTES_MAX_DEFAULT = 30;
const REPORT_EVERY_MINUTES = 5;
/** The runner ends its children on SIGTERM; what is left after this time is killed. */
const KILL_AFTER_MS = 5000;
const CONCURRENCY_MAX = 4;
const NAMES_SHOWN_MAX = 20;

const minutesMax = Number(process.env.SHOAL_TEST_MINUTES ?? MINUTES_MAX_DEFAULT);
if (!(minutesMax > 0)) {
  console.error(`SHOAL_TEST_MINUTES=${process.env.SHOAL_TEST_MINUTES} is not a number of minutes`);
  process.exit(2);
}
const places = process.argv.slice(2);
const files = (places.length > 0 ? places.flatMap(testFilesIn) : usualFiles()).sort();
if (files.length === 0) {
  console.error(`no tests in ${places.join(' ')}`);
  process.exit(2);
}

const startedMs = performance.now();
const running = new Set<string>();
const failed: string[] = [];
const skipped: string[] = [];
let filesDone = 0;

const reporter = pathToFileURL(join(import.meta.dirname, 'support/progress-reporter.mjs')).href;
const runner = spawn(
  process.execPath,
  [
    '--import=tsx',
    '--test',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    `--test-concurrency=${Math.min(CONCURRENCY_MAX, availableParallelism())}`,
    ...files,
  ],
  { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true },
);

runner.on('message', (message) => {
  const progress = message as Progress;
  const file = relative(process.cwd(), progress.file);
  if (progress.kind === 'begun') running.add(file);
  if (progress.kind === 'done' && running.delete(file)) filesDone += 1;
  if (progress.kind === 'failed') failed.push(`${progress.test} (${file})`);
  if (progress.kind === 'skipped') skipped.push(`${progress.test} (${file})`);
});

const reportTimer = setInterval(printProgress, REPORT_EVERY_MINUTES * 60_000);
const limitTimer = setTimeout(() => {
  printProgress();
  console.error(
    `The tests ended because they took longer than ${minutesMax} minutes. On a slow machine allow them` +
      ` more time: SHOAL_TEST_MINUTES=${minutesMax * 2} npm test`,
  );
  end();
}, minutesMax * 60_000);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    printProgress();
    end();
  });
}

runner.on('close', (code) => {
  clearInterval(reportTimer);
  clearTimeout(limitTimer);
  if (process.env.SHOAL_NO_SKIPS === '1' && skipped.length > 0) {
    console.error(`Skipped, though SHOAL_NO_SKIPS=1 allows no skipped test:${list(skipped)}`);
    process.exit(1);
  }
  process.exit(code ?? 1);
});

function usualFiles(): string[] {
  return testFilesIn('test').filter((file) => !file.startsWith(join('test', 'release')));
}

function testFilesIn(place: string): string[] {
  if (statSync(place).isFile()) return [place];
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(place, name));
}

function printProgress(): void {
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  console.error(`\n${minutes} minutes: ${filesDone} of ${files.length} test files are complete.`);
  if (failed.length > 0) console.error(`Failed tests:${list(failed)}`);
  if (running.size > 0) console.error(`Running:${list([...running])}`);
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).map((name) => `\n  ${name}`);
  const more = names.length - shown.length;
  return shown.join('') + (more > 0 ? `\n  and ${more} more` : '');
}

function end(): void {
  signalAll('SIGTERM');
  setTimeout(() => signalAll('SIGKILL'), KILL_AFTER_MS).unref();
}

/** The runner leads its own process group. */
function signalAll(signal: NodeJS.Signals): void {
  try {
    if (runner.pid !== undefined) process.kill(-runner.pid, signal);
  } catch {
    // The group has ended.
  }
}
