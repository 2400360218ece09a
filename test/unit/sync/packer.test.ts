// Which packets the packer discards while the network takes nothing, and that the others stay readable.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENVELOPE_HEADER_BYTES } from '../../../src/shared/envelope.ts';
import { newPeerCounters } from '../../../src/sync/counters.ts';
import { DATAGRAM_BYTES_DEFAULT } from '../../../src/sync/limits.ts';
import { Packer, type PackerOptions } from '../../../src/sync/packer.ts';
import { PacketReader } from '../../../src/sync/packet-reader.ts';
import { PublishWriter } from '../../../src/sync/publish-writer.ts';
import { payloadOf, publishPacket, topicOf, viewOf } from '../../support/sync-fixtures.ts';

/** A packer on a network that takes `credit` more datagrams, with a reader at the other end. */
class Bench {
  credit = 0;
  discarded = 0;
  /** What send() answers: true if the buffer is free again. */
  isFree = true;
  readonly buffers = new Set<Buffer>();
  readonly packer: Packer;
  readonly texts: string[] = [];
  /** Of the packets in `texts`, as the receiver counts them. */
  readonly numbers: number[] = [];
  readonly counters = newPeerCounters();
  readonly #reader = new PacketReader(
    1,
    this.counters,
    { name: 'a', bootId: 9n, seed: 9 },
    {
      publishFromPeer: (view, _now, _sender, number = -1) => {
        this.numbers.push(number);
        this.texts.push(payloadOf(view).toString('latin1').slice(0, 1));
      },
    },
  );

  constructor(options: Omit<PackerOptions, 'datagramBytes'>) {
    this.packer = new Packer(
      { ...options, datagramBytes: DATAGRAM_BYTES_DEFAULT },
      {
        send: ({ buffer, end }) => {
          this.credit -= 1;
          this.buffers.add(buffer);
          this.#reader.read(Buffer.from(buffer.subarray(ENVELOPE_HEADER_BYTES, end)), 0);
          return this.isFree;
        },
        isReady: () => this.credit > 0,
        discarded: (packets) => {
          this.discarded += packets;
        },
      },
    );
  }

  append(letter: string, packetBytes: number): boolean {
    const view = viewOf(publishPacket({ topic: 't', payload: letter.repeat(packetBytes - 7) }));
    const writer = new PublishWriter();
    writer.measure(view, topicOf(view));
    return this.packer.append(writer, view, topicOf(view));
  }

  flush(credit: number): void {
    this.credit = credit;
    this.packer.flush();
  }
}

test('a message after a discarded one arrives whole', () => {
  const bench = new Bench({ queueLength: 2, queuePolicy: 'discard-newest' });
  for (const letter of 'ab') bench.append(letter, 1300);
  bench.append('c', 600);
  assert.equal(bench.packer.queued, 2);
  assert.equal(bench.append('X', 2000), false);
  bench.flush(1);
  assert.equal(bench.append('d', 800), true);
  bench.flush(100);
  assert.deepEqual(bench.texts, ['a', 'b', 'c', 'd']);
  assert.deepEqual([bench.discarded, bench.counters.lostMessages], [1, 1]);
});

test('a split message whose end is discarded after its beginning has left counts as one discard', () => {
  const bench = new Bench({ queueLength: 2, queuePolicy: 'discard-oldest' });
  bench.credit = 1;
  bench.append('a', 4000);
  assert.equal(bench.packer.queued, 1);
  for (const letter of 'bcd') bench.append(letter, 1300);
  bench.flush(100);
  bench.append('e', 200);
  bench.flush(100);
  assert.equal(bench.texts.at(-1), 'e');
  assert.equal(bench.discarded, bench.counters.lostMessages);
  assert.equal(bench.texts.length + bench.discarded, 5);
  assert.ok(!bench.texts.includes('a'));
});

test('an earlier discard does not change the count of a later one', () => {
  const bench = new Bench({ queueLength: 2, queuePolicy: 'discard-oldest' });
  for (const letter of 'abc') bench.append(letter, 1300);
  // The queue holds a and b, c is open; d pushes a out.
  bench.append('d', 1300);
  assert.equal(bench.discarded, 1);
  bench.flush(100);
  bench.credit = 1;
  bench.append('e', 4000);
  for (const letter of 'fgh') bench.append(letter, 1300);
  bench.flush(100);
  bench.append('i', 200);
  bench.flush(100);
  assert.equal(bench.discarded, bench.counters.lostMessages);
  assert.equal(bench.texts.length + bench.discarded, 9);
});

test('waiting messages leave before later ones when the network takes datagrams again', () => {
  const bench = new Bench({ queueLength: 10, queuePolicy: 'discard-newest' });
  for (const letter of 'abc') bench.append(letter, 1300);
  bench.credit = 100;
  for (const letter of 'de') bench.append(letter, 1300);
  bench.flush(100);
  assert.deepEqual(bench.texts, ['a', 'b', 'c', 'd', 'e']);
  assert.equal(bench.counters.malformed, 0);
});

test('one buffer is enough while the network takes every datagram', () => {
  const bench = new Bench({ queueLength: 10, queuePolicy: 'discard-newest' });
  bench.credit = 100;
  for (let i = 0; i < 50; i++) bench.append('a', 1300);
  bench.flush(100);
  assert.equal(bench.texts.length, 50);
  assert.equal(bench.buffers.size, 1);
});

test('a buffer that the network still reads is not reused', () => {
  const bench = new Bench({ queueLength: 10, queuePolicy: 'discard-newest' });
  bench.credit = 100;
  bench.isFree = false;
  for (let i = 0; i < 50; i++) bench.append('a', 1300);
  assert.equal(bench.buffers.size, 49);
});

test('a large message that needs more than the queue is sent while the network takes datagrams', () => {
  const bench = new Bench({ queueLength: 1, queuePolicy: 'discard-newest' });
  bench.credit = 1;
  assert.equal(bench.append('a', 4000), true);
  bench.flush(100);
  assert.deepEqual(bench.texts, ['a']);
});

test('a message has the same number on its node and on every receiver, whatever was discarded', () => {
  const bench = new Bench({ queueLength: 2, queuePolicy: 'discard-newest' });
  const numbers = new Map<string, number>();
  for (const [index, letter] of [...'abcdefghijklmnop'].entries()) {
    if (index % 4 === 3) bench.flush(index);
    const bytes = [100, 1300, 2500, 20, 4000][index % 5]!;
    if (bench.append(letter, bytes)) numbers.set(letter, bench.packer.lastNumber);
  }
  bench.flush(100);
  assert.ok(bench.discarded > 0 && bench.texts.length > 5);
  assert.deepEqual(
    bench.numbers,
    bench.texts.map((letter) => numbers.get(letter)),
  );
});
