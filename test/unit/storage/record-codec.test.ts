import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, DecodeError } from '../../../src/storage/byte-reader.ts';
import { ByteWriter } from '../../../src/storage/byte-writer.ts';
import { crc32, crc32ByTable } from '../../../src/storage/crc32.ts';
import { type RecordVisitor, readRecords } from '../../../src/storage/record-reader.ts';
import { RecordWriter } from '../../../src/storage/record-writer.ts';
import { seededRandom } from '../../support/random.ts';
import { delivery, message, session } from '../../support/stored-records.ts';

const written = (writer: ByteWriter): Buffer => writer.buffer.subarray(0, writer.length);

/** Accepts every record and keeps none. */
const ignoringVisitor = new Proxy({}, { get: () => () => undefined }) as RecordVisitor;

test('numbers of up to 53 bits are decoded as they were encoded', () => {
  const writer = new ByteWriter(Buffer.alloc(1));
  const numbers = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1];
  for (const number of numbers) writer.varint(number);
  const reader = new ByteReader(written(writer));
  assert.deepEqual(
    numbers.map(() => reader.varint()),
    numbers,
  );
  assert.ok(reader.atEnd);
});

test('texts and bytes of any length are decoded as they were encoded, in a buffer that grows', () => {
  const writer = new ByteWriter(Buffer.alloc(1));
  const texts = ['', 'ü€😀', 'x'.repeat(70_000)];
  for (const text of texts) {
    writer.text(text);
    writer.bytes(Buffer.from(text));
  }
  const reader = new ByteReader(written(writer));
  for (const text of texts) {
    assert.equal(reader.text(), text);
    assert.equal(reader.bytes().toString(), text);
  }
});

test('truncated and invalid records throw a DecodeError and nothing else', () => {
  const writer = new RecordWriter();
  writer.session(1, session('client', { username: 'user' }));
  writer.message(1, message('topic', 'payload'));
  writer.delivery(1, 1, delivery(1, message('topic', 'payload'), { identifiers: [1, 2, 3] }));
  writer.register({ key: 'a', hasValue: true, writer: 2n ** 64n - 1n, time: 5, sequence: 6 });
  writer.known({ writer: 1n, from: 1, to: 2 ** 40 });
  const good = written(writer);
  const random = seededRandom(1);
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(good.subarray(0, Math.floor(random() * good.length) + 1));
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    try {
      readRecords(bytes, ignoringVisitor);
    } catch (error) {
      assert.ok(error instanceof DecodeError, String(error));
    }
  }
});

test("the CRC computed by table equals Node's for any seed", () => {
  const random = seededRandom(7);
  for (const length of [0, 1, 2, 255, 4096]) {
    const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    assert.equal(crc32ByTable(bytes), crc32(bytes));
    assert.equal(crc32ByTable(bytes, 0xdeadbeef), crc32(bytes, 0xdeadbeef));
  }
  // The published check value, for Nodes without a CRC of their own.
  assert.equal(crc32ByTable(Buffer.from('123456789')), 0xcbf43926);
});
