import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeReplicaMessage,
  encodeBlock,
  encodeDigest,
  encodeRequest,
  MapId,
} from '../../../src/replica/codec.ts';
import { seededRandom } from '../../support/random.ts';

const BYTES_MAX = 1100;

test('a digest comes back as it was, over as many pages as it needs', () => {
  const entries = Array.from({ length: 200 }, (_, n) => ({
    writer: BigInt(n + 1),
    known: [
      { from: 1, to: n + 1 },
      { from: n + 10, to: n + 2 ** 40 },
    ],
  }));
  const pages = encodeDigest(MapId.retained, 7, entries, BYTES_MAX);
  assert.ok(pages.length > 1);
  const read = pages.map((page) => {
    assert.ok(page.length <= BYTES_MAX);
    const message = decodeReplicaMessage(page);
    assert.equal(message?.kind, 'digest');
    return message?.kind === 'digest' ? message : undefined;
  });
  assert.deepEqual(
    read.flatMap((page) => page?.entries),
    entries,
  );
  assert.deepEqual(
    read.map((page) => [page?.number, page?.page, page?.pages]),
    pages.map((_, index) => [7, index, pages.length]),
  );
});

test('an empty digest is a page that says so', () => {
  const [page, ...others] = encodeDigest(MapId.clients, 1, [], BYTES_MAX);
  assert.equal(others.length, 0);
  assert.deepEqual(decodeReplicaMessage(page!), {
    kind: 'digest',
    number: 1,
    page: 0,
    pages: 1,
    entries: [],
  });
});

test('requests and blocks come back as they were', () => {
  const ranges = [{ writer: 0xffffffffffffffffn, from: 1, to: 2 ** 47 }];
  assert.deepEqual(decodeReplicaMessage(encodeRequest(MapId.retained, { id: 9, ranges })), {
    kind: 'request',
    id: 9,
    ranges,
  });
  const block = {
    requestId: 9,
    isLast: true,
    range: ranges[0]!,
    registers: [
      { key: 'dév/1', time: 2 ** 47, sequence: 5, value: Buffer.from('n1') },
      { key: '', time: 0, sequence: 6, value: undefined },
    ],
  };
  assert.deepEqual(decodeReplicaMessage(encodeBlock(MapId.clients, block)), {
    kind: 'block',
    ...block,
  });
});

test('bytes that are cut or changed never throw', () => {
  const random = seededRandom(3);
  const samples = [
    ...encodeDigest(1, 1, [{ writer: 1n, known: [{ from: 1, to: 2 }] }], BYTES_MAX),
    encodeRequest(1, { id: 1, ranges: [{ writer: 1n, from: 1, to: 2 }] }),
    encodeBlock(1, {
      requestId: 1,
      isLast: false,
      range: { writer: 1n, from: 1, to: 2 },
      registers: [{ key: 'a', time: 1, sequence: 1, value: Buffer.from('b') }],
    }),
  ];
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(samples[round % samples.length]!);
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    decodeReplicaMessage(bytes.subarray(0, Math.floor(random() * (bytes.length + 1))));
  }
});

test('a range that is empty or begins before 1 is malformed', () => {
  for (const range of [
    { from: 0, to: 1 },
    { from: 3, to: 2 },
  ]) {
    const request = encodeRequest(1, { id: 1, ranges: [{ writer: 1n, ...range }] });
    assert.equal(decodeReplicaMessage(request), undefined);
  }
});
