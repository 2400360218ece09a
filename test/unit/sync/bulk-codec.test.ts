// Frames of the bulk channel: cut from any chunks, bounded before anything is buffered.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BulkKind,
  decodeHello,
  decodeRepairFrame,
  encodeFrame,
  encodeHello,
  encodeRepairFrame,
  FRAME_HEADER_BYTES,
  FrameReader,
} from '../../../src/sync/bulk-codec.ts';
import { seededRandom } from '../../support/random.ts';

function read(reader: FrameReader, chunks: Iterable<Buffer>): string[] {
  const frames: string[] = [];
  for (const chunk of chunks) {
    reader.push(chunk, (kind, body) => frames.push(`${kind} ${body.toString('latin1')}`));
  }
  return frames;
}

test('frames are read whole from chunks of any size', () => {
  const random = seededRandom(3);
  const texts = Array.from({ length: 50 }, (_, n) => `${n}`.repeat(Math.floor(random() * 90)));
  const bytes = Buffer.concat(texts.map((text) => encodeFrame(2, Buffer.from(text))));
  for (let round = 0; round < 50; round++) {
    const reader = new FrameReader();
    reader.bytesMax = 1000;
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(random() * 60);
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    assert.deepEqual(
      read(reader, chunks),
      texts.map((text) => `2 ${text}`),
    );
  }
});

test('a frame beyond the bound is skipped, and the one behind it is read', () => {
  const reader = new FrameReader();
  reader.bytesMax = 10;
  const long = encodeFrame(2, Buffer.alloc(100_000));
  assert.deepEqual(read(reader, [long, encodeFrame(3, Buffer.from('ok'))]), ['3 ok']);
  assert.equal(reader.skipped, 1);
  // The largest length that a header can announce allocates nothing.
  const header = Buffer.alloc(FRAME_HEADER_BYTES, 0xff);
  assert.deepEqual(read(reader, [header, Buffer.alloc(1000)]), []);
  assert.equal(reader.skipped, 2);
});

test('before its hello a peer can make the reader buffer 18 bytes', () => {
  const reader = new FrameReader();
  const hello = encodeHello({ from: 1n, to: 2n });
  assert.equal(read(reader, [hello]).length, 1);
  assert.deepEqual(read(reader, [encodeFrame(BulkKind.publish, Buffer.alloc(18))]), []);
  assert.equal(reader.skipped, 1);
});

test('hello and repair have the layout of docs/protocol-bulk.md', () => {
  const hello = encodeHello({ from: 0x0123456789abcdefn, to: 0xfedcba9876543210n });
  assert.equal(hello.toString('hex'), '000000120101' + '0123456789abcdef' + 'fedcba9876543210');
  assert.deepEqual(decodeHello(hello.subarray(5)), {
    from: 0x0123456789abcdefn,
    to: 0xfedcba9876543210n,
  });
  assert.equal(decodeHello(Buffer.alloc(17)), undefined);
  const head = { requestId: 7, isLast: true, writer: 1n, from: 2, to: 300 };
  const frame = encodeRepairFrame(head, [Buffer.from('p')]);
  assert.equal(
    frame.toString('hex'),
    '0000001b03' + '01' + '00000007' + '0000000000000001' + '000000000002' + '00000000012c' + '70',
  );
  assert.deepEqual(decodeRepairFrame(frame.subarray(5)), { head, packets: Buffer.from('p') });
  assert.equal(decodeRepairFrame(Buffer.alloc(24)), undefined);
});
