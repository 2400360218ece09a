import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from '../../../../src/net/clients/transport.ts';
import { WriteBuffer } from '../../../../src/net/clients/write-buffer.ts';

const READ_BUFFER_BYTES = 65_536;

type Range = readonly [buffer: Buffer, start: number, end: number];

/** The buffers that the transport gets. */
function buffersOf(writableLength: number, ranges: readonly Range[]): Buffer[] {
  const written: Buffer[] = [];
  const transport = {
    writableLength,
    write: (bytes: Buffer) => written.push(bytes),
    cork: () => undefined,
    uncork: () => undefined,
  } as unknown as Transport;
  const pending = WriteBuffer.take();
  for (const range of ranges) pending.add(...range);
  pending.writeTo(transport);
  pending.release();
  return written;
}

/** The written bytes, and the size of the buffers behind them. */
function write(writableLength: number, ranges: readonly Range[]) {
  const written = buffersOf(writableLength, ranges);
  const kept = new Set(written.map(({ buffer }) => buffer));
  const pinnedBytes = [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { bytes: Buffer.concat(written), writes: written.length, pinnedBytes };
}

const readBuffer = (byte: number): Buffer => Buffer.alloc(READ_BUFFER_BYTES, byte);

test('a few unread bytes keep only themselves alive', () => {
  const one = write(1, [[readBuffer(1), 100, 110]]);
  assert.deepEqual(one, { bytes: Buffer.alloc(10, 1), writes: 1, pinnedBytes: 10 });
  const two = write(1, [
    [readBuffer(1), 100, 110],
    [readBuffer(2), 0, 5],
  ]);
  const expected = Buffer.concat([Buffer.alloc(10, 1), Buffer.alloc(5, 2)]);
  assert.deepEqual(two, { bytes: expected, writes: 1, pinnedBytes: 15 });
});

test('many unread pieces keep only about their own size alive', () => {
  const ranges = Array.from({ length: 100 }, (_, i) => [readBuffer(i), 0, 1000] as const);
  const { bytes, pinnedBytes } = write(0, ranges);
  assert.deepEqual(bytes, Buffer.concat(ranges.map(([buffer]) => buffer.subarray(0, 1000))));
  assert.ok(pinnedBytes < 200_000, `${pinnedBytes} bytes`);
});

test('a client that reads gets its bytes without a copy', () => {
  const buffer = readBuffer(1);
  assert.equal(write(0, [[buffer, 100, 110]]).pinnedBytes, READ_BUFFER_BYTES);
  const whole = write(1, [[buffer, 0, READ_BUFFER_BYTES]]);
  assert.equal(whole.pinnedBytes, READ_BUFFER_BYTES);
});

test('clients that get the same bytes share one view, and a whole buffer needs none', () => {
  const buffer = readBuffer(1);
  const [first, second] = [buffersOf(0, [[buffer, 5, 20]]), buffersOf(0, [[buffer, 5, 20]])];
  assert.equal(first[0], second[0]);
  assert.deepEqual(buffersOf(0, [[buffer, 5, 21]])[0], Buffer.alloc(16, 1));
  assert.equal(buffersOf(0, [[buffer, 0, READ_BUFFER_BYTES]])[0], buffer);
});

test('very many small pieces leave in few writes, in order', () => {
  const pieces = Array.from({ length: 50_000 }, (_, i) => Buffer.from([i & 255, i >> 8]));
  const { bytes, writes } = write(
    0,
    pieces.map((piece) => [piece, 0, piece.length] as const),
  );
  assert.deepEqual(bytes, Buffer.concat(pieces));
  assert.ok(writes < 10, `${writes} writes`);
});

test('large pieces between small ones leave as they are', () => {
  const large = readBuffer(3);
  const small = [Buffer.from('a'), Buffer.from('b')] as const;
  const { bytes, writes } = write(0, [
    [small[0], 0, 1],
    [small[1], 0, 1],
    [large, 0, READ_BUFFER_BYTES],
    [small[0], 0, 1],
  ]);
  assert.deepEqual(bytes, Buffer.concat([...small, large, small[0]]));
  assert.equal(writes, 3);
});
