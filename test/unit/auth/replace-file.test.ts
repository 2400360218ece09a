import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { replaceFile } from '../../../src/auth/replace-file.ts';

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'replace-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

test('a new file is readable by its owner only', async (t) => {
  const path = join(await folderOf(t), 'pw');
  await replaceFile(path, 'text');
  assert.equal(await readFile(path, 'utf8'), 'text');
  assert.equal(await modeOf(path), '600');
});

test('an existing file keeps its owner, group and mode', async (t) => {
  const folder = await folderOf(t);
  const path = join(folder, 'pw');
  await writeFile(path, 'old');
  await chmod(path, 0o644);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(path, 1234, 2345);
  const { uid, gid } = await stat(path);
  await replaceFile(path, 'new');
  assert.equal(await modeOf(path), '644');
  assert.deepEqual([(await stat(path)).uid, (await stat(path)).gid], [uid, gid]);
  assert.equal(await readFile(path, 'utf8'), 'new');
  assert.deepEqual(await readdir(folder), ['pw'], 'nothing is left behind');
});

test('the target of a symbolic link is replaced, not the link', async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, 'real'), 'old');
  await symlink('real', join(folder, 'link'));
  await replaceFile(join(folder, 'link'), 'new');
  assert.equal(await readFile(join(folder, 'real'), 'utf8'), 'new');
});

test('nothing changes if the file cannot be written', async (t) => {
  const folder = await folderOf(t);
  await assert.rejects(replaceFile(join(folder, 'missing', 'pw'), 'text'), { code: 'ENOENT' });
  assert.deepEqual(await readdir(folder), []);
});

test('a file that is not regular, such as a device, is left unchanged', async (t) => {
  const folder = await folderOf(t);
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await assert.rejects(replaceFile(pipe, 'text'), /not a regular file/);
  assert.equal((await stat(pipe)).isFIFO(), true);
});
