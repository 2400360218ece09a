// The demo as a user starts it: what it does with its arguments, and how it ends.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { WatchedProcess } from '../support/watched-process.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const STORY_MS_MAX = 60_000;

const demo = (...tokens: string[]) =>
  new WatchedProcess([process.execPath, '--import', 'tsx', 'bin/demo.ts', ...tokens], {
    cwd: ROOT,
  });

test('an argument that the demo does not know ends it with 2 before anything starts', async () => {
  const bogus = demo('--bogus');
  assert.deepEqual(await bogus.exited, { code: 2, signal: null });
  assert.match(bogus.output, /^demo: unknown argument '--bogus'\n\nusage: /);
  const help = demo('--help');
  assert.deepEqual(await help.exited, { code: 0, signal: null });
  assert.match(help.output, /^usage: npm run demo/);
});

test('killing a node as the demo advises is no failure of the demo', async (t) => {
  const story = demo();
  t.after(() => story.stop());
  const [, pid] = await story.waitFor(/kill -9 (\d+)/, STORY_MS_MAX);
  process.kill(Number(pid), 'SIGKILL');
  await story.waitFor(/n1 says: n3 is offline/, STORY_MS_MAX, story.lineCount);
  story.signal('SIGINT');
  assert.deepEqual(await story.exited, { code: 0, signal: null }, story.output);
  assert.match(story.output, /all nodes have stopped\n$/);
});
