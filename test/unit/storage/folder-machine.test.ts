import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../../src/shared/logger.ts';
import { isFolderMoved } from '../../../src/storage/folder-machine.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('a data folder from another machine is known until a node has used it for a minute', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const folder = temporaryFolder(t);
  const lines: string[] = [];
  const log = { ...silentLogger, info: (event: string) => void lines.push(event) };
  const isMoved = (mark: string | undefined): boolean => isFolderMoved(folder, mark, log);
  assert.equal(isMoved('aa'), false, 'a new folder');
  assert.equal(isMoved('aa'), false);
  assert.equal(isMoved(undefined), false, 'a machine without an id');
  assert.deepEqual(lines, []);
  assert.equal(isMoved('bb'), true);
  assert.equal(isMoved('bb'), true, 'the first start may have been refused');
  assert.deepEqual(lines[0], 'the data folder was last used on another machine');
  t.mock.timers.tick(60_000);
  assert.equal(readFileSync(join(folder, 'machine'), 'utf8'), 'bb\n');
  assert.equal(isMoved('bb'), false);
});

test('a folder that cannot be read or written is no other machine', () => {
  assert.equal(isFolderMoved('/proc/shoal-is-not-here', 'aa', silentLogger), false);
});

test('a mark that a full disk left empty is no other machine, and is written again', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'machine'), '');
  assert.equal(isFolderMoved(folder, 'aa', silentLogger), false);
  assert.equal(readFileSync(join(folder, 'machine'), 'utf8'), 'aa\n');
});
