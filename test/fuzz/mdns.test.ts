// Random bytes, damaged messages, and messages of random records about the names of a node. Nothing throws, the
// decoder takes its time from no one, and a node answers within its rates.

import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import {
  type DnsMessage,
  decodeDns,
  encodeDns,
  MESSAGE_BYTES_MAX,
  NO_RECORDS,
} from '../../src/discovery/mdns/dns-codec.ts';
import { type DnsRecord, RecordType } from '../../src/discovery/mdns/dns-record.ts';
import { MDNS_PORT } from '../../src/discovery/mdns/responder.ts';
import { MdnsWire } from '../support/mdns-wire.ts';
import { seededRandom } from '../support/random.ts';

const RUNS = 20_000;
const SEED = Number(process.env.SHOAL_FUZZ_SEED ?? Math.floor(Math.random() * 1e9));
const NAMES = [
  'shoal.local',
  'shoal-2.local',
  'box1-shoal.local',
  'box1._mqtt._tcp.local',
  '_mqtt._tcp.local',
  '_services._dns-sd._udp.local',
  '',
];
const TYPES = [...Object.values(RecordType), 41];

const random = seededRandom(SEED);
const below = (limit: number): number => Math.floor(random() * limit);
const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)));
const oneOf = <T>(list: readonly T[]): T => list[below(list.length)]!;
const many = <T>(make: () => T): T[] => Array.from({ length: below(4) }, make);

function randomRecord(): DnsRecord {
  const data = bytes(below(2) === 0 ? 4 : below(30));
  const ttlSeconds = oneOf([0, 1, 120, 4500, 0xffffffff]);
  return { name: oneOf(NAMES), type: oneOf(TYPES), ttlSeconds, isUnique: below(2) === 0, data };
}

function randomMessage(): DnsMessage {
  const wantsUnicast = (): boolean => below(2) === 0;
  return {
    id: below(65_536),
    isResponse: below(2) === 0,
    isTruncated: below(4) === 0,
    questions: many(() => ({
      name: oneOf(NAMES),
      type: oneOf(TYPES),
      wantsUnicast: wantsUnicast(),
    })),
    answers: many(randomRecord),
    authorities: many(randomRecord),
    additionals: many(randomRecord),
  };
}

test(`no bytes make the decoder throw, and what it reads it can write (seed ${SEED})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const datagram = below(2) === 0 ? bytes(below(300)) : encodeDns(randomMessage());
    for (let damage = below(4); damage > 0 && datagram.length > 0; damage--) {
      datagram[below(datagram.length)] = below(256);
    }
    // Few of them, so that the decoder does not give up at the counts of the header.
    if (below(2) === 0) for (const at of [4, 6, 8, 10]) if (datagram.length > at) datagram[at] = 0;
    const message = decodeDns(datagram);
    if (message === undefined) continue;
    const again = decodeDns(encodeDns(message));
    // Names that are no UTF-8 are read, but not as what they were: they match no name of a node.
    if (!JSON.stringify(message).includes('\ufffd')) assert.deepEqual(again, message);
  }
});

test('the largest message of the costliest names is refused in a moment', () => {
  const record = Buffer.from('c00c000c0001000011940002c00c', 'hex');
  const name = Buffer.from(`${'0161'.repeat(126)}00000c0001000011940002c00c`, 'hex');
  const count = Math.floor((MESSAGE_BYTES_MAX - 12 - name.length) / record.length);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x8400, 2);
  header.writeUInt16BE(count + 1, 6);
  const whole = Buffer.concat([header, name, ...new Array<Buffer>(count).fill(record)]);
  const before = performance.now();
  for (let run = 0; run < 100; run++) assert.equal(decodeDns(whole), undefined);
  // About 10 ms; without the bound on labels it is a hundred times more.
  assert.ok(performance.now() - before < 1000);
});

test(`a node that hears anything stays within its rates (seed ${SEED})`, () => {
  const wire = new MdnsWire();
  wire.add('box1', '192.168.1.1');
  wire.add('box2', '192.168.1.2');
  wire.join('box1', 'box2');
  let seconds = 0;
  for (let run = 0; run < RUNS / 10; run++) {
    const port = oneOf([MDNS_PORT, MDNS_PORT, 40_000]);
    wire.hear(randomMessage(), { address: `192.168.1.${below(4)}`, port });
    const ms = oneOf([5, 5, 50, 500]);
    wire.run(ms);
    seconds += ms / 1000;
  }
  // Of each of the two: 10 answers to single hosts; to all: probes, announcements, and a record four times.
  const perSecond = wire.said.length / seconds;
  assert.ok(perSecond < 60, `${perSecond} messages a second`);
  assert.ok(decodeDns(encodeDns({ ...NO_RECORDS, id: 0, isResponse: true })) !== undefined);
});
