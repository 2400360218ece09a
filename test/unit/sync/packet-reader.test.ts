// Packer and packet reader together: messages of any size come out as they went in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENVELOPE_HEADER_BYTES } from '../../../src/shared/envelope.ts';
import {
  DATA_HEADER_BYTES,
  firstStartOf,
  writeDataHeader,
  writeSequence,
} from '../../../src/sync/body-codec.ts';
import { newPeerCounters, type PeerCounters } from '../../../src/sync/counters.ts';
import {
  DATAGRAM_BYTES_DEFAULT,
  DATAGRAM_BYTES_MAX,
  DATAGRAM_BYTES_MIN,
  PUBLISH_BYTES_MAX,
} from '../../../src/sync/limits.ts';
import { Packer } from '../../../src/sync/packer.ts';
import { PacketReader } from '../../../src/sync/packet-reader.ts';
import { PublishWriter } from '../../../src/sync/publish-writer.ts';
import { seededRandom } from '../../support/random.ts';
import { payloadOf, publishPacket, topicOf, viewOf } from '../../support/sync-fixtures.ts';

const SEGMENT_BYTES_MAX = 1344;

/** Payload that makes a version 5 PUBLISH on topic `t` exactly that long; longer than 130 bytes. */
function payloadFor(packetBytes: number): Buffer {
  return Buffer.alloc(packetBytes - 7, packetBytes & 0xff);
}

/** Bodies that the packer makes of messages, flushed after each turn. */
function pack(
  turns: readonly (readonly Buffer[])[],
  datagramBytes = DATAGRAM_BYTES_DEFAULT,
): Buffer[] {
  const bodies: Buffer[] = [];
  const packer = new Packer(
    { datagramBytes, queueLength: 100, queuePolicy: 'discard-newest' },
    {
      send: (datagram) => {
        writeSequence(datagram.buffer, ENVELOPE_HEADER_BYTES, bodies.length + 1);
        bodies.push(Buffer.from(datagram.buffer.subarray(ENVELOPE_HEADER_BYTES, datagram.end)));
        return true;
      },
      isReady: () => true,
      discarded: () => assert.fail('nothing waits here'),
    },
  );
  const writer = new PublishWriter();
  for (const turn of turns) {
    for (const payload of turn) {
      const view = viewOf(publishPacket({ topic: 't', payload }));
      writer.measure(view, topicOf(view));
      assert.ok(packer.append(writer, view, topicOf(view)));
    }
    packer.flush();
    assert.ok(packer.isEmpty);
  }
  return bodies;
}

function read(bodies: readonly Buffer[]): { payloads: Buffer[]; counters: PeerCounters } {
  const payloads: Buffer[] = [];
  const counters = newPeerCounters();
  const reader = new PacketReader(
    1,
    counters,
    { name: 'a', bootId: 9n, seed: 9 },
    {
      publishFromPeer: (view) => {
        payloads.push(Buffer.from(payloadOf(view)));
      },
    },
  );
  for (const body of bodies) reader.read(body, 0);
  return { payloads, counters };
}

test('many small messages of one turn share a datagram', () => {
  const bodies = pack([Array.from({ length: 20 }, () => Buffer.alloc(50, 1))]);
  assert.equal(bodies.length, 1);
  assert.equal(read(bodies).payloads.length, 20);
});

test('messages of different turns do not wait for each other', () => {
  assert.equal(pack([[Buffer.alloc(1)], [Buffer.alloc(1)]]).length, 2);
});

test('a message under 168 bytes never straddles two datagrams', () => {
  const payloads = Array.from({ length: 100 }, () => payloadFor(167));
  for (const body of pack([payloads])) assert.equal(firstStartOf(body), 0);
});

test('a larger message fills the rest of a datagram if that is at least an eighth of it', () => {
  const first = SEGMENT_BYTES_MAX - SEGMENT_BYTES_MAX / 8;
  assert.deepEqual(pack([[payloadFor(first), payloadFor(1000)]]).map(firstStartOf), [
    0,
    1000 - SEGMENT_BYTES_MAX / 8,
  ]);
  assert.deepEqual(pack([[payloadFor(first + 1), payloadFor(1000)]]).map(firstStartOf), [0, 0]);
  assert.equal(pack([[payloadFor(SEGMENT_BYTES_MAX)]]).length, 1);
  assert.equal(pack([[payloadFor(SEGMENT_BYTES_MAX + 1)]]).length, 2);
});

test('the largest message crosses in four datagrams', () => {
  const bodies = pack([[payloadFor(PUBLISH_BYTES_MAX)]]);
  assert.equal(bodies.length, 4);
  assert.deepEqual(read(bodies).payloads, [payloadFor(PUBLISH_BYTES_MAX)]);
});

test('messages of any sizes come out as they went in', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const turns = Array.from({ length: 20 }, () =>
      Array.from({ length: Math.floor(random() * 12) }, () =>
        Buffer.alloc(Math.floor(random() ** 2 * 4080), Math.floor(random() * 256)),
      ),
    );
    for (const bytes of [DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_DEFAULT, DATAGRAM_BYTES_MAX]) {
      const { payloads, counters } = read(pack(turns, bytes));
      assert.deepEqual(payloads, turns.flat(), `seed ${seed}`);
      assert.deepEqual([counters.lostMessages, counters.malformed], [0, 0]);
    }
  }
});

test('if any datagrams are missing, the other messages arrive whole and the lost ones are counted', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seededRandom(seed);
    const sent = Array.from({ length: 60 }, (_, i) =>
      Buffer.from(`${i} ${'x'.repeat(Math.floor(random() * 4000))}`),
    );
    const last = Buffer.from('60 the end');
    const bodies = pack([sent, [last]]);
    const arrived = bodies.filter((_, i) => i === bodies.length - 1 || random() < 0.7);
    const { payloads, counters } = read(arrived);
    assert.equal(payloads.length + counters.lostMessages, 61, `seed ${seed}`);
    assert.equal(counters.malformed, 0);
    for (const payload of payloads) {
      const number = Number.parseInt(payload.toString('latin1'), 10);
      assert.deepEqual(payload, [...sent, last][number]);
    }
  }
});

/** A body as no sender of ours would make it. */
function bodyOf(sequence: number, number: number, firstStart: number, segment: Buffer): Buffer {
  const body = Buffer.alloc(DATA_HEADER_BYTES + segment.length);
  writeDataHeader(body, 0, firstStart, number);
  writeSequence(body, 0, sequence);
  segment.copy(body, DATA_HEADER_BYTES);
  return body;
}

const split = publishPacket({ topic: 't', payload: Buffer.alloc(1000, 0x61) });
const small = publishPacket({ topic: 't', payload: 'next' });

test('a continuation of the right length that belongs to another message is not used', () => {
  const { payloads, counters } = read([
    bodyOf(1, 1, 0, split.subarray(0, 600)),
    // The sender gave up the rest of 1 and the beginning of 2; this is the rest of 2.
    bodyOf(2, 3, split.length - 600, Buffer.concat([split.subarray(600), small])),
  ]);
  assert.deepEqual(payloads.map(String), ['next']);
  assert.equal(counters.lostMessages, 2);
});

for (const [name, rest] of [
  ['longer', Buffer.concat([split.subarray(600), Buffer.alloc(1)])],
  ['shorter', split.subarray(601)],
  ['empty', Buffer.alloc(0)],
] as const) {
  test(`a continuation that is ${name} than announced loses its message, not its neighbours`, () => {
    const { payloads, counters } = read([
      bodyOf(1, 1, 0, split.subarray(0, 600)),
      bodyOf(2, 2, rest.length, Buffer.concat([rest, small])),
    ]);
    assert.deepEqual(payloads.map(String), ['next']);
    assert.equal(counters.lostMessages, 1);
  });
}

test('a message over several datagrams is put together', () => {
  const { payloads } = read([
    bodyOf(1, 1, 0, split.subarray(0, 600)),
    bodyOf(2, 2, 100, split.subarray(600, 700)),
    bodyOf(3, 2, split.length - 700, split.subarray(700)),
    bodyOf(4, 2, 0, small),
  ]);
  assert.deepEqual(payloads.map(String), ['a'.repeat(1000), 'next']);
});

test('a packet number that was used before is malformed', () => {
  const { payloads, counters } = read([bodyOf(1, 1, 0, small), bodyOf(2, 1, 0, small)]);
  assert.equal(payloads.length, 1);
  assert.equal(counters.malformed, 1);
});
