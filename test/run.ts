// Runs the tests: `tsx test/run.ts [file or folder ...]`; without arguments every *.test.ts under
// test/. With SHOAL_NO_SKIPS=1 a skipped test fails the run: where everything is installed, nothing
// may be left out in silence.

import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** On idle cores they end within five minutes; a busy machine may take several times as long. */
const TOTAL_MS_MAX = 900_000;
/** The runner ends its children by itself on SIGTERM; this long after, the rest is killed. */
const KILL_AFTER_MS = 5000;
const CONCURRENCY_MAX = 4;

const places = process.argv.slice(2);
const files = (places.length > 0 ? places : ['test']).flatMap(testFilesIn).sort();

if (files.length === 0) {
  console.error(`no tests in ${places.join(' ')}`);
  process.exit(2);
}

const runner = spawn(
  process.execPath,
  [
    '--import=tsx',
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${Math.min(CONCURRENCY_MAX, availableParallelism())}`,
    ...files,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
);

let ending = '';
runner.stdout.on('data', (chunk: Buffer) => {
  process.stdout.write(chunk);
  ending = (ending + chunk.toString()).slice(-100_000);
});

const limit = setTimeout(() => {
  console.error(`the tests took longer than ${TOTAL_MS_MAX / 1000} s`);
  signalAll('SIGTERM');
  setTimeout(() => signalAll('SIGKILL'), KILL_AFTER_MS);
}, TOTAL_MS_MAX);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => signalAll(signal));

runner.on('close', (code) => {
  clearTimeout(limit);
  const skipped = Number(/^. skipped (\d+)$/m.exec(ending)?.[1] ?? 0);
  if (process.env.SHOAL_NO_SKIPS === '1' && skipped > 0) {
    console.error(`${skipped} tests were skipped`);
    process.exit(1);
  }
  process.exit(code ?? 1);
});

function testFilesIn(place: string): string[] {
  if (statSync(place).isFile()) return [place];
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(place, name));
}

/** The runner leads a process group of its own, made above. */
function signalAll(signal: NodeJS.Signals): void {
  try {
    if (runner.pid !== undefined) process.kill(-runner.pid, signal);
  } catch {
    // Already gone.
  }
}
