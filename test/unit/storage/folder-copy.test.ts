import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Disk, ReadableFile } from '../../../src/storage/disk.ts';
import { openFolderCopy } from '../../../src/storage/folder-copy.ts';
import { StorageError } from '../../../src/storage/storage-error.ts';

/** A folder whose names are one entry of `listings` after the other; the last one stays. */
function changingFolder(...listings: string[][]) {
  const open = new Set<ReadableFile>();
  let listed = 0;
  const names = (): string[] => listings[Math.min(listed, listings.length - 1)] ?? [];
  const disk = {
    list: () => {
      const found = names();
      listed += 1;
      return found;
    },
    open: (name: string) => {
      if (!names().includes(name)) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
      const file: ReadableFile = {
        size: 1,
        read: () => Buffer.alloc(1),
        close: () => open.delete(file),
      };
      open.add(file);
      return file;
    },
  };
  return { disk: disk as unknown as Disk, open };
}

const [LOG1, LOG2, SNAPSHOT2] = [
  'shoal-00000001.log',
  'shoal-00000002.log',
  'shoal-00000002.snapshot',
];

test('files that a compaction replaces during the opening are opened anew', () => {
  const { disk, open } = changingFolder(
    [LOG1],
    [LOG1, LOG2],
    [LOG1, LOG2],
    [SNAPSHOT2, LOG2],
    [SNAPSHOT2, LOG2],
    [SNAPSHOT2, LOG2, 'lock.1'],
  );
  const files = openFolderCopy('folder', disk);
  assert.deepEqual(
    files.map(({ name }) => name),
    [SNAPSHOT2, LOG2],
  );
  assert.equal(open.size, 2, 'what was opened before is closed');
});

test('a folder without data is refused', () => {
  assert.throws(() => openFolderCopy('folder', changingFolder(['lock.1']).disk), StorageError);
});

test('a folder that never holds still is given up', () => {
  const listings = Array.from({ length: 99 }, (_, index) => [`shoal-${10_000_000 + index}.log`]);
  const { disk, open } = changingFolder(...listings);
  assert.throws(() => openFolderCopy('folder', disk), /change too often/);
  assert.equal(open.size, 0);
});
