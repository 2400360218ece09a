// The build, on its way to dist: running nodes and tests read the same files.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { BUNDLE } from '../support/shoal-process.ts';

test('a build replaces the file as a whole: a reader of the old one reads it to the end', async () => {
  const before = readFileSync(BUNDLE);
  const reader = openSync(BUNDLE, 'r');
  try {
    await promisify(execFile)('node', ['build.mjs', '--quiet'], { cwd: dirname(dirname(BUNDLE)) });
    const built = openSync(BUNDLE, 'r');
    assert.notEqual(fstatSync(built).ino, fstatSync(reader).ino);
    closeSync(built);
    assert.ok(readFileSync(reader).equals(before));
  } finally {
    closeSync(reader);
  }
});
