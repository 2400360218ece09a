import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FolderDisk } from '../../../src/storage/disk.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal-disk-'));
after(() => rmSync(base, { recursive: true }));
const outside = join(base, 'outside');
const folder = join(base, 'data');
mkdirSync(folder);
const disk = new FolderDisk(folder);

test('a new file replaces a symbolic link and leaves its target unchanged', async () => {
  writeFileSync(outside, 'precious');
  symlinkSync(outside, join(folder, 'shoal-00000001.log'));
  const file = await disk.create('shoal-00000001.log');
  await new Promise((done) => file.write([Buffer.from('log')], 0, done));
  await new Promise((done) => file.close(done));
  assert.equal(readFileSync(outside, 'utf8'), 'precious');
  assert.equal(readFileSync(join(folder, 'shoal-00000001.log'), 'utf8'), 'log');
});

test('a symbolic link is neither read nor truncated', () => {
  writeFileSync(outside, 'precious');
  symlinkSync(outside, join(folder, 'shoal-00000002.log'));
  const refusal = { name: 'StorageError', message: /shoal-00000002\.log is a symbolic link/ };
  assert.throws(() => disk.open('shoal-00000002.log'), refusal);
  assert.throws(() => disk.cut('shoal-00000002.log', 0), refusal);
  assert.equal(readFileSync(outside, 'utf8'), 'precious');
});
