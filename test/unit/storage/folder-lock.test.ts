import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type FolderLock, lockFolder } from '../../../src/storage/folder-lock.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal-lock-'));
after(() => rmSync(base, { recursive: true }));

function newFolder(name: string): string {
  const folder = join(base, name);
  mkdirSync(folder);
  return folder;
}

const IN_USE = { name: 'StorageError', message: /in use by another running Shoal/ };

/** Another process that holds the lock until it is killed. */
async function holder(folder: string): Promise<{ end(): Promise<void> }> {
  const url = new URL('../../../src/storage/folder-lock.ts', import.meta.url).href;
  const code = `
    const { lockFolder } = await import(${JSON.stringify(url)});
    await lockFolder(${JSON.stringify(folder)});
    console.log('locked');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code]);
  const exited = new Promise<void>((done) => child.on('exit', () => done()));
  await new Promise<void>((done, fail) => {
    child.stdout.once('data', () => done());
    child.once('exit', (code) => fail(new Error(`the holder ended with ${code}`)));
  });
  return {
    end: () => {
      child.kill('SIGKILL');
      return exited;
    },
  };
}

test('one process at a time holds a folder, and the next may have it after the release', async () => {
  const folder = newFolder('one');
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), IN_USE);
  await lock.release();
  await (await lockFolder(folder)).release();
  assert.deepEqual(readdirSync(folder), ['lock.2'], 'only the last lock stays');
});

test('the lock of a killed process does not keep others out', async () => {
  const folder = newFolder('killed');
  const other = await holder(folder);
  await assert.rejects(lockFolder(folder), IN_USE);
  await other.end();
  await (await lockFolder(folder)).release();
});

test('of many processes that find a stale lock at once, exactly one gets the folder', async () => {
  const folder = newFolder('many');
  await (await holder(folder)).end();
  for (let round = 0; round < 30; round++) {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    const locks = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    assert.equal(locks.length, 1, `round ${round}`);
    for (const lock of locks) await lock.release();
  }
});

test('a folder whose path is too long for a socket can be locked', async () => {
  const folder = newFolder('x'.repeat(150));
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), IN_USE);
  await lock.release();
});

test('the error for a folder that cannot be locked names the folder', async () => {
  await assert.rejects(lockFolder(join(base, 'missing')), {
    name: 'StorageError',
    message: /missing/,
  });
});

test("the lock of another user's process keeps the folder too", {
  skip: process.getuid?.() !== 0,
}, async () => {
  const folder = newFolder('foreign');
  for (const place of [base, folder]) chmodSync(place, 0o777);
  const lock = await lockFolder(folder);
  process.seteuid?.(65_534);
  try {
    await assert.rejects(lockFolder(folder), IN_USE);
  } finally {
    process.seteuid?.(0);
  }
  await lock.release();
});

test("root's lock on the folder of a user keeps that user out, but only while it is held", {
  skip: process.getuid?.() !== 0,
}, async () => {
  const folder = newFolder('of a user');
  chmodSync(base, 0o777);
  chownSync(folder, 65_534, 65_534);
  const lockAsUser = async (): Promise<FolderLock> => {
    process.seteuid?.(65_534);
    try {
      return await lockFolder(folder);
    } finally {
      process.seteuid?.(0);
    }
  };
  const lock = await lockFolder(folder);
  await assert.rejects(lockAsUser(), IN_USE);
  await lock.release();
  await (await lockAsUser()).release();
});
