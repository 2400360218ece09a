import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FileWatcher } from '../../../src/node/file-watcher.ts';

/** A folder with the file `users`, and a watcher of it. */
function watched(t: TestContext, pollMs = 3_600_000) {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-watch-'));
  const path = join(folder, 'users');
  writeFileSync(path, 'one');
  let noticed: () => void = () => undefined;
  let changes = 0;
  const watcher = new FileWatcher([path], {
    pollMs,
    restMs: 20,
    onChange: () => {
      changes += 1;
      noticed();
    },
  });
  // The watcher alone keeps no process alive.
  const alive = setInterval(() => undefined, 1000);
  t.after(() => {
    clearInterval(alive);
    watcher.close();
    rmSync(folder, { recursive: true });
  });
  /** Does it, and waits until the watcher has noticed. */
  const change = async (work: () => void): Promise<string[]> => {
    const notice = new Promise<void>((resolve) => {
      noticed = resolve;
    });
    work();
    await notice;
    return watcher.take([path]);
  };
  return { folder, path, watcher, change, count: () => changes };
}

test('a file that is written again is noticed', async (t) => {
  const { path, change } = watched(t);
  assert.deepEqual(await change(() => writeFileSync(path, 'two')), [path]);
});

test('a new file that is renamed over the old one is noticed, each time', async (t) => {
  const { folder, path, change } = watched(t);
  for (const text of ['two', 'three', 'four']) {
    const changed = await change(() => {
      writeFileSync(join(folder, '.users.tmp'), text);
      renameSync(join(folder, '.users.tmp'), path);
    });
    assert.deepEqual(changed, [path]);
  }
});

test('a symbolic link that is swapped, as Kubernetes does, is noticed', async (t) => {
  const { folder, path, change } = watched(t);
  for (const version of ['v1', 'v2']) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'users'), version);
  }
  symlinkSync('v1', join(folder, '..data'));
  await change(() => {
    rmSync(path);
    symlinkSync(join('..data', 'users'), path);
  });
  const changed = await change(() => {
    symlinkSync('v2', join(folder, '..tmp'));
    renameSync(join(folder, '..tmp'), join(folder, '..data'));
  });
  assert.deepEqual(changed, [path]);
});

test('a file that disappears is noticed, and again when it is back', async (t) => {
  const { path, change } = watched(t);
  assert.deepEqual(await change(() => rmSync(path)), [path]);
  assert.deepEqual(await change(() => writeFileSync(path, 'back')), [path]);
});

test('where the system reports nothing, looking every few seconds finds the change', async (t) => {
  const { folder, watcher } = watched(t);
  watcher.close();
  const path = join(folder, 'users');
  const found = new Promise<void>((resolve) => {
    // A folder that does not exist cannot be watched.
    const other = new FileWatcher([path, join(folder, 'missing', 'file')], {
      pollMs: 10,
      restMs: 20,
      onChange: resolve,
    });
    t.after(() => other.close());
  });
  mkdirSync(join(folder, 'missing'));
  writeFileSync(join(folder, 'missing', 'file'), 'new');
  await found;
});

test('a change in the folder that is not of a watched file is none', async (t) => {
  const { folder, path, change, count } = watched(t);
  writeFileSync(join(folder, 'other'), 'x');
  assert.deepEqual(await change(() => writeFileSync(path, 'two')), [path]);
  assert.equal(count(), 1);
});
