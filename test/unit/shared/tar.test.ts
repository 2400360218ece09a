import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  decodeTarHeader,
  encodeTarHeader,
  TAR_FILE_BYTES_MAX,
  tarPadding,
} from '../../../src/shared/tar.ts';

test('a header says what was written, and a damaged one is none', () => {
  const entry = { name: 'shoal-00000007.log', bytes: 1_234_567 };
  const header = encodeTarHeader(entry, Date.UTC(2026, 10, 20));
  assert.deepEqual(decodeTarHeader(header), entry);
  assert.equal(decodeTarHeader(Buffer.alloc(512)), 'end');
  for (const at of [0, 124, 148, 156, 300]) {
    const damaged = Buffer.from(header);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    assert.equal(decodeTarHeader(damaged), undefined, `byte ${at}`);
  }
  const outermost = { name: 'x'.repeat(99), bytes: 0 };
  assert.deepEqual(decodeTarHeader(encodeTarHeader(outermost, 0)), outermost);
  assert.throws(() => encodeTarHeader({ name: 'x'.repeat(100), bytes: 0 }, 0));
  const largest = { name: 'x', bytes: TAR_FILE_BYTES_MAX };
  assert.deepEqual(decodeTarHeader(encodeTarHeader(largest, 0)), largest);
  assert.throws(() => encodeTarHeader({ name: 'x', bytes: TAR_FILE_BYTES_MAX + 1 }, 0));
  assert.deepEqual([0, 1, 511, 512, 513].map(tarPadding), [0, 511, 1, 0, 511]);
});

test('the program tar reads what we write, and we read what it writes', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-tar-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const content = Buffer.from('hello');
  const parts = [
    encodeTarHeader({ name: 'a.log', bytes: content.length }, 0),
    content,
    Buffer.alloc(tarPadding(content.length) + 1024),
  ];
  writeFileSync(join(folder, 'ours.tar'), Buffer.concat(parts));
  execFileSync('tar', ['-xf', 'ours.tar'], { cwd: folder });
  assert.equal(readFileSync(join(folder, 'a.log'), 'utf8'), 'hello');
  execFileSync('tar', ['--format=ustar', '-cf', 'theirs.tar', 'a.log'], { cwd: folder });
  const header = readFileSync(join(folder, 'theirs.tar')).subarray(0, 512);
  assert.deepEqual(decodeTarHeader(header), { name: 'a.log', bytes: 5 });
});
