// test/run.ts itself: what it says when the time of a run is over, and about skipped tests.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { WatchedProcess } from '../support/watched-process.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'shoal test runner '));
after(() => rmSync(folder, { recursive: true }));

function run(name: string, text: string, env: Record<string, string>): WatchedProcess {
  const file = join(folder, name);
  writeFileSync(file, `import { test } from 'node:test';\n${text}`);
  return new WatchedProcess([process.execPath, '--import', 'tsx', 'test/run.ts', file], {
    cwd: ROOT,
    env,
  });
}

test('a run that takes too long says what failed, what still runs and how to allow more time', async (t) => {
  const runner = run(
    'slow.test.ts',
    `test('fails', () => { throw new Error('on purpose'); });
     test('never ends', () => new Promise((resolve) => setTimeout(resolve, 600_000)));`,
    { SHOAL_TEST_MINUTES: '0.25' },
  );
  t.after(() => runner.kill());
  const { code } = await runner.exited;
  assert.equal(code, 1);
  assert.match(runner.output, /0 of 1 test files are complete\./);
  assert.match(runner.output, /^Failed tests:\n {2}fails \(.*slow\.test\.ts\)$/m);
  assert.match(runner.output, /^Running:\n {2}.*slow\.test\.ts$/m);
  assert.match(runner.output, /longer than 0\.25 minutes.*SHOAL_TEST_MINUTES=0\.5 npm test/);
});

test('with SHOAL_NO_SKIPS=1 a skipped test fails the run and is named', async (t) => {
  const text = "test('needs more', { skip: 'no root' }, () => undefined);";
  const strict = run('strict.test.ts', text, { SHOAL_NO_SKIPS: '1' });
  const lenient = run('lenient.test.ts', text, {});
  t.after(() => Promise.all([strict.kill(), lenient.kill()]));
  assert.equal((await strict.exited).code, 1);
  assert.match(strict.output, /SHOAL_NO_SKIPS=1 allows no skipped test:\n {2}needs more \(/);
  assert.equal((await lenient.exited).code, 0);
});

test('SHOAL_TEST_MINUTES must be a number of minutes', async () => {
  const { exited, output } = run('any.test.ts', '', { SHOAL_TEST_MINUTES: 'ten' });
  assert.equal((await exited).code, 2, output);
});
