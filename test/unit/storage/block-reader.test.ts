import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockReader } from '../../../src/storage/block-reader.ts';
import {
  BLOCK_HEAD_BYTES,
  BLOCK_MAGIC,
  HEADER_BYTES,
  sealBlock,
} from '../../../src/storage/file-format.ts';

const FILE_BYTES = 16_777_216;
const LARGE_BYTES = 4_194_304;

/** A file in memory that counts the bytes read from it. */
function opened(bytes: Buffer) {
  const file = {
    size: bytes.length,
    readBytes: 0,
    read: (position: number, length: number): Buffer => {
      const part = bytes.subarray(position, position + length);
      file.readBytes += part.length;
      return part;
    },
    close: () => undefined,
  };
  return file;
}

/** A file with valid blocks of 100 bytes at `places` and a false head of a large block at every step. */
function damagedFile(step: number, places: readonly number[]) {
  const bytes = Buffer.alloc(FILE_BYTES);
  for (let at = HEADER_BYTES; at + BLOCK_HEAD_BYTES < FILE_BYTES; at += step) {
    BLOCK_MAGIC.copy(bytes, at);
    bytes.writeUInt32LE(LARGE_BYTES, at + 4);
  }
  for (const at of places) sealBlock(bytes.subarray(at, at + 100), 1, at, { wall: 0, mono: 0 });
  return opened(bytes);
}

test('a file with hundreds of false block heads is not read hundreds of times', () => {
  const file = damagedFile(20_000, [HEADER_BYTES]);
  const { gaps, end } = new BlockReader(file, 1).walk(() => undefined);
  assert.ok(file.readBytes < 20 * FILE_BYTES, `${file.readBytes} bytes read`);
  assert.deepEqual(gaps, [{ start: end, end: FILE_BYTES }]);
  assert.equal(end, HEADER_BYTES + 100);
});

test('a valid block behind a few false ones is found', () => {
  const place = FILE_BYTES - 1000;
  const file = damagedFile(FILE_BYTES / 4, [place]);
  let found = 0;
  new BlockReader(file, 1).walk(() => {
    found += 1;
  });
  assert.equal(found, 1);
});
