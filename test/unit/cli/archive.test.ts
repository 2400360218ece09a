// Archives that no backup wrote: every one is refused, in words, and nothing outside of the folder changes.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ArchiveError, readArchive } from '../../../src/cli/backup/archive.ts';
import { encodeTarHeader, TAR_BLOCK_BYTES, tarPadding } from '../../../src/shared/tar.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const LOG = 'shoal-00000001.log';
const END = Buffer.alloc(2 * TAR_BLOCK_BYTES);
const TYPE_AT = 156;
const CHECKSUM_AT = 148;

/** An entry of a tar, its header changed as wanted and its checksum made right again. */
function entry(name: string, content: string, change?: (header: Buffer) => void): Buffer {
  const bytes = Buffer.from(content);
  const header = encodeTarHeader({ name, bytes: bytes.length }, 0);
  change?.(header);
  header.fill(' ', CHECKSUM_AT, CHECKSUM_AT + 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM_AT, 'latin1');
  return Buffer.concat([header, bytes, Buffer.alloc(tarPadding(bytes.length))]);
}

const ofType =
  (type: string, link = '') =>
  (header: Buffer) => {
    header.write(type, TYPE_AT, 'latin1');
    header.write(link, TYPE_AT + 1, 'latin1');
  };
const ofSize = (size: string) => (header: Buffer) => void header.write(size, 124, 'latin1');

const HOSTILE: Readonly<Record<string, Buffer>> = {
  'a way up': entry(`../${LOG}`, 'x'),
  'a way up behind a folder': entry(`a/../../${LOG}`, 'x'),
  'a way down': entry(`folder/${LOG}`, 'x'),
  'an absolute path': entry('/tmp/shoal-evil', 'x'),
  'another name': entry('token', 'x'),
  'an empty name': entry('', 'x'),
  'a name with a line end': entry(`${LOG}\n`, 'x'),
  'a symbolic link': entry(LOG, '', ofType('2', '/etc/passwd')),
  'a hard link': entry(LOG, '', ofType('1', '../outside')),
  'a character device': entry(LOG, '', ofType('3')),
  'a block device': entry(LOG, '', ofType('4')),
  'a folder': entry(LOG, '', ofType('5')),
  'a pipe': entry(LOG, '', ofType('6')),
  'a long name of GNU tar': entry(LOG, '../../evil', ofType('L')),
  'attributes of pax': entry(LOG, '20 path=../../evil\n', ofType('x')),
  'a negative size': entry(LOG, 'x', ofSize('-0000000001')),
  'a size that is no number': entry(LOG, 'x', ofSize('zzzzzzzzzzz')),
  'a size in binary': entry(LOG, 'x', ofSize('\u0080\0\0\0\0\0\0\0\0\0\0')),
  'a size beyond the end': entry(LOG, 'x', ofSize('00000010000')),
  'a size that lies, so that content becomes a header': entry(
    LOG,
    'x'.repeat(600),
    ofSize('00000000001'),
  ),
  'the same name twice': Buffer.concat([entry(LOG, 'one'), entry(LOG, 'two')]),
  'a bomb': entry(LOG, '', ofSize('77777777777')),
  'no file': Buffer.alloc(0),
};

function scene(t: TestContext) {
  const root = temporaryFolder(t);
  const folder = join(root, 'data', 'restore.tmp');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(root, 'outside'), 'as before');
  writeFileSync(join(root, 'data', LOG), 'old data');
  const read = (archive: Buffer, freeBytes = 1e9): Promise<string[]> => {
    const file = join(root, 'backup.tgz');
    writeFileSync(file, archive);
    return readArchive(
      file,
      folder,
      () => undefined,
      async () => freeBytes,
    );
  };
  const outside = () => ({
    root: readdirSync(root).filter((name) => name !== 'backup.tgz'),
    data: readdirSync(join(root, 'data')),
    contents: [join(root, 'outside'), join(root, 'data', LOG)].map((path) =>
      readFileSync(path, 'utf8'),
    ),
  });
  return { folder, read, outside };
}

for (const [what, tar] of Object.entries(HOSTILE)) {
  test(`an archive with ${what} is refused`, async (t) => {
    const { read, outside } = scene(t);
    const before = outside();
    await assert.rejects(read(gzipSync(Buffer.concat([tar, END]))), ArchiveError);
    assert.deepEqual(outside(), before);
  });
}

test('an archive that is cut at any place is refused', async (t) => {
  const { read, outside } = scene(t);
  const before = outside();
  const whole = gzipSync(Buffer.concat([entry(LOG, 'x'.repeat(2000)), END]));
  for (let bytes = 0; bytes < whole.length; bytes += 3) {
    const { read: readAnew } = scene(t);
    await assert.rejects(readAnew(whole.subarray(0, bytes)), ArchiveError, `${bytes} bytes`);
  }
  await assert.rejects(read(Buffer.from('no gzip at all')), ArchiveError);
  assert.deepEqual(outside(), before);
});

test('a changed byte, and more behind the end, are noticed', async (t) => {
  const tar = Buffer.concat([entry(LOG, 'x'.repeat(2000)), END]);
  const changed = gzipSync(tar);
  changed[changed.length - 8]! ^= 1;
  await assert.rejects(scene(t).read(changed), ArchiveError);
  const longer = gzipSync(Buffer.concat([tar, Buffer.alloc(50_000_000)]));
  await assert.rejects(scene(t).read(longer), ArchiveError);
  const padded = gzipSync(Buffer.concat([tar, Buffer.alloc(10_240)]));
  assert.deepEqual(await scene(t).read(padded), [LOG]);
});

test('a bomb is refused before it is unpacked, and what the disk has room for is not', async (t) => {
  const { read, folder } = scene(t);
  const bomb = gzipSync(Buffer.concat([entry(LOG, '0'.repeat(1_000_000)), END]));
  await assert.rejects(read(bomb, 67_000_000), /more than the disk has room for/);
  assert.deepEqual(readdirSync(folder), []);
  assert.deepEqual(await read(bomb, 69_000_000), [LOG]);
  assert.equal(readFileSync(join(folder, LOG), 'utf8').length, 1_000_000);
});

test('a file that exists in the folder, a link out of it included, is not written to', async (t) => {
  const { read, folder, outside } = scene(t);
  const before = outside();
  symlinkSync(join(folder, '..', '..', 'outside'), join(folder, LOG));
  await assert.rejects(read(gzipSync(Buffer.concat([entry(LOG, 'evil'), END]))), /EEXIST/);
  assert.deepEqual(outside(), before);
});
