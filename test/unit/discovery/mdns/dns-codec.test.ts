// DNS messages byte by byte: as they are written, as others write them with pointers, and damaged ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeDns, encodeDns, NO_RECORDS } from '../../../../src/discovery/mdns/dns-codec.ts';
import {
  absenceRecord,
  addressRecord,
  joinLabels,
  labelsOf,
  pointerRecord,
  RecordType,
  serviceRecord,
  textRecord,
} from '../../../../src/discovery/mdns/dns-record.ts';
import { describe } from '../../../support/mdns-wire.ts';

const HEADER = '000084000000000100000000';
/** `_mqtt._tcp.local` */
const SERVICE = '055f6d717474045f746370056c6f63616c00';

function decodeHex(hex: string) {
  return decodeDns(Buffer.from(hex, 'hex'));
}

test('a response has the bytes of RFC 1035', () => {
  const answers = [pointerRecord('_mqtt._tcp.local', 'box1._mqtt._tcp.local', 4500)];
  const bytes = encodeDns({ ...NO_RECORDS, id: 0, isResponse: true, answers });
  assert.equal(
    bytes.toString('hex'),
    `${HEADER}${SERVICE}000c0001000011940017` + `04626f7831${SERVICE}`,
  );
});

test('every record is read as it was written', () => {
  const host = 'box1-shoal.local';
  const answers = [
    addressRecord(host, '192.168.1.1', 120),
    addressRecord(host, 'fd00::1', 120),
    pointerRecord('_mqtt._tcp.local', 'a\\.b._mqtt._tcp.local', 4500),
    serviceRecord('a\\.b._mqtt._tcp.local', { host, port: 1883 }, 120),
    textRecord('a\\.b._mqtt._tcp.local', ['path=/mqtt', 'node=ü'], 4500),
    absenceRecord(host, [RecordType.A, RecordType.AAAA], 120),
  ];
  const questions = [{ name: host, type: RecordType.ANY, wantsUnicast: true }];
  const message = {
    ...NO_RECORDS,
    id: 7,
    isResponse: false,
    isTruncated: true,
    questions,
    answers,
  };
  assert.deepEqual(decodeDns(encodeDns(message)), message);
});

test('the types that a name has are bits', () => {
  const { data } = absenceRecord('a', [RecordType.A, RecordType.AAAA, RecordType.SRV], 120);
  assert.equal(data.toString('hex'), '016100' + '0005' + '4000000840');
});

test('pointers in names and in data are written out', () => {
  const pointer = 'c00c';
  const [record] =
    decodeHex(`${HEADER}${SERVICE}000c0001000011940007` + `04626f7831${pointer}`)?.answers ?? [];
  assert.deepEqual(describe([record!]), ['PTR _mqtt._tcp.local box1._mqtt._tcp.local 4500']);
  const service = `0021800100000078000a00000000075b${`0161${'c017'}`.slice(0, 8)}`;
  const [second] = decodeHex(`${HEADER}${SERVICE}${service}`)?.answers ?? [];
  assert.deepEqual(describe([second!]), ['SRV _mqtt._tcp.local 1883 a.local 120']);
  assert.equal(second!.isUnique, true);
});

test('pointers that lead in a circle, to the back or nowhere are damage', () => {
  for (const name of ['c00c', '0161c00c', 'c00e', 'c0ff', 'c0', '0161c012']) {
    assert.equal(decodeHex(`${HEADER}${name}000c000100001194000100`), undefined, name);
  }
});

test('a small message that expands to very many labels is not read', () => {
  const long = `${'0161'.repeat(120)}00`;
  const record = 'c00c000c0001000011940002c00c';
  const count = 60;
  const header = `00008400${'0000'}${(count + 1).toString(16).padStart(4, '0')}00000000`;
  const first = `${long}000c0001000011940002c00c`;
  assert.equal(decodeHex(header + first + record.repeat(count)), undefined);
});

test('a name of more than 255 bytes is damage', () => {
  const labels = `3f${'61'.repeat(63)}`.repeat(4);
  assert.equal(decodeHex(`${HEADER}${labels}00000c000100001194000100`), undefined);
});

test('a message that ends too early is damage, wherever it ends', () => {
  const answers = [serviceRecord('box1._mqtt._tcp.local', { host: 'box1.local', port: 1883 }, 120)];
  const questions = [{ name: 'shoal.local', type: RecordType.A, wantsUnicast: false }];
  const bytes = encodeDns({ ...NO_RECORDS, id: 0, isResponse: true, questions, answers });
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(decodeDns(bytes.subarray(0, length)), undefined, `${length} bytes`);
  }
});

test('updates, errors and records of other classes are no matter of multicast DNS', () => {
  assert.equal(decodeHex('000028000000000000000000'), undefined);
  assert.equal(decodeHex('000084030000000000000000'), undefined);
  const chaos = decodeHex(`${HEADER}${SERVICE}0010000300001194000100`);
  assert.deepEqual(chaos?.answers, []);
});

test('labels keep their dots and backslashes', () => {
  for (const labels of [
    ['a.b', 'c\\', 'local'],
    ['\\.', '.'],
    ['ü ', 'x'],
  ]) {
    assert.deepEqual(labelsOf(joinLabels(labels)), labels);
  }
});
