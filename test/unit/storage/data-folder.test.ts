import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { crc32 } from '../../../src/storage/crc32.ts';
import { makeDataFolder } from '../../../src/storage/data-folder.ts';
import { encodeHeader, FORMAT_VERSION } from '../../../src/storage/file-format.ts';
import { Journal } from '../../../src/storage/journal.ts';
import { StorageError } from '../../../src/storage/storage-error.ts';
import { fakeContext } from '../../support/fake-context.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal-folder-'));
after(() => rmSync(base, { recursive: true }));
const file = join(base, 'file');
writeFileSync(file, '');

async function check(folder: string) {
  const context = fakeContext();
  const flags = [`-data=${folder}`, '-anonymous=true', '-port=0', '-http=off'];
  const code = await main(['check', ...flags], context);
  return { code, err: context.err.join('') };
}

test('check and start refuse a path that cannot be the data folder in the same words', async () => {
  for (const [folder, reason] of [
    [file, 'is a file, not a folder'],
    [join(file, 'sub'), `cannot be created: ${file} is a file`],
    [join(base, 'not', 'there'), `cannot be created: there is no folder ${join(base, 'not')}`],
  ] as const) {
    const message = `-data=${folder} ${reason}`;
    assert.deepEqual(await check(folder), { code: 2, err: `shoal: ${message}\n` });
    assert.throws(() => makeDataFolder(folder), { name: 'DataPathError', message });
  }
});

test('check and start refuse a folder that this user may not write to in the same words', {
  skip: process.getuid === undefined,
}, () => {
  const [closed, scratch] = [join(base, 'closed'), join(base, 'scratch')];
  mkdirSync(closed, { mode: 0o555 });
  mkdirSync(scratch);
  chmodSync(base, 0o755);
  chmodSync(scratch, 0o777);
  const url = new URL('../../../src/storage/data-folder.ts', import.meta.url).href;
  const code = `
    const folder = await import(${JSON.stringify(url)});
    for (const use of [folder.checkDataFolder, folder.makeDataFolder]) {
      for (const path of ${JSON.stringify([closed, join(closed, 'sub')])}) {
        try { use(path); } catch ({ name, message }) { console.log(name, message); }
      }
    }
  `;
  const isRoot = process.getuid?.() === 0;
  // Root may write anywhere.
  const user = isRoot ? { uid: 65_534, gid: 65_534 } : {};
  const args = ['--import', 'tsx', '--input-type=module', '-e', code];
  const env = { ...process.env, TMPDIR: scratch };
  const { stdout, stderr } = spawnSync(process.execPath, args, { ...user, env, encoding: 'utf8' });
  const owner = isRoot ? 'root' : `user ${process.getuid?.()}`;
  const fault = `this user may not write there (it belongs to ${owner})`;
  const lines = [
    `DataPathError -data=${closed}: ${fault}\n`,
    `DataPathError -data=${join(closed, 'sub')} cannot be created in ${closed}: ${fault}\n`,
  ].join('');
  assert.equal(stdout, lines + lines, stderr);
});

test('a new data folder is accessible to its user only, and an existing one is used as it is', async () => {
  const folder = join(base, 'made');
  assert.deepEqual(await check(folder), { code: 0, err: '' });
  makeDataFolder(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const existing = join(base, 'existing');
  mkdirSync(existing);
  makeDataFolder(existing);
  assert.equal((await check(existing)).code, 0);
});

test('a link of another user is refused as the data folder, and a link of this user is used', {
  skip: process.getuid?.() !== 0,
}, async () => {
  const target = join(base, 'target');
  mkdirSync(target);
  const [own, foreign] = [join(base, 'own-link'), join(base, 'foreign-link')];
  for (const link of [own, foreign]) symlinkSync(target, link);
  lchownSync(foreign, 65_534, 65_534);
  assert.equal((await check(own)).code, 0);
  const message = `-data=${foreign} is a symbolic link of user 65534; give the folder itself`;
  assert.deepEqual(await check(foreign), { code: 2, err: `shoal: ${message}\n` });
});

test('where the system cannot create folders the start fails instead of retrying forever', {
  skip: process.platform === 'linux' ? false : 'needs /proc',
}, () => {
  // Other users are refused before the attempt: the folder is not theirs.
  const name = process.getuid?.() === 0 ? StorageError.name : 'DataPathError';
  assert.throws(() => makeDataFolder('/proc/shoal'), { name });
});

test('a folder that a newer release has written is free once its file is gone', async () => {
  const folder = join(base, 'newer');
  const log = join(folder, 'shoal-00000001.log');
  const header = encodeHeader({ kind: 'log', needsSnapshot: false, generation: 1, run: 1n });
  header.writeUInt16LE(FORMAT_VERSION + 1, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  mkdirSync(folder);
  writeFileSync(log, header);
  const open = () => Journal.open({ folder, log: silentLogger });
  await assert.rejects(open(), { name: 'StorageError', message: /written by a newer release/ });
  rmSync(log);
  const { journal } = await open();
  await journal.close();
});
