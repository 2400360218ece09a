// The vectors of docs/protocol-beacon.md are read from the page, so that page and program agree.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeBeacon, encodeBeacon } from '../../../../src/discovery/beacon-codec.ts';
import {
  BEACON_BYTES,
  isBeacon,
  openBeacon,
  sealBeacon,
} from '../../../../src/net/cluster/beacon-seal.ts';
import { deriveKeyRing } from '../../../../src/shared/key-ring.ts';

const page = readFileSync('docs/protocol-beacon.md', 'utf8');
const { beacon: keys } = await deriveKeyRing(['12345678'], 'shoal');
const CALL = {
  kind: 'call',
  endpoint: { address: '192.168.1.102', port: 7946 },
  bootId: 0xa1a2a3a4a5a6a7a8n,
  counter: 1n,
  nonce: 0x0102030405060708n,
} as const;
const ANSWER = {
  ...CALL,
  kind: 'answer',
  endpoint: { address: 'fd00::5', port: 7956 },
  bootId: 0xb1b2b3b4b5b6b7b8n,
} as const;

/** The indented bytes behind a title of the page. */
function vector(title: string): string {
  const [, block] = new RegExp(`${title}[^\\n]*\\n\\n((?: {4}.*\\n)+)`).exec(page) ?? [];
  assert.ok(block !== undefined, `docs/protocol-beacon.md has no vector "${title}"`);
  return block.replace(/\s/g, '');
}

test('the documented token gives the documented key', () => {
  assert.equal(keys.own.toString('hex'), vector('Key'));
});

test('call and answer have the documented bytes, and are read back', () => {
  for (const [title, message] of [
    ['Body of a call', CALL],
    ['Body of an answer', ANSWER],
  ] as const) {
    assert.equal(encodeBeacon(message).toString('hex'), vector(title));
    assert.deepEqual(decodeBeacon(Buffer.from(vector(title), 'hex')), message);
  }
});

test('a call is sealed as documented, and opened', () => {
  const nonce = Buffer.from('000102030405060708090a0b', 'hex');
  const datagram = sealBeacon(keys, encodeBeacon(CALL), nonce);
  assert.equal(datagram.toString('hex'), vector('Datagram'));
  assert.ok(isBeacon(datagram));
  const body = openBeacon(keys, datagram);
  assert.ok(typeof body !== 'string');
  assert.deepEqual(decodeBeacon(body), CALL);
});

test('call and answer have one length, and show no byte of what they say', () => {
  const [one, two] = [CALL, ANSWER].map((message) => sealBeacon(keys, encodeBeacon(message)));
  assert.ok(one !== undefined && two !== undefined);
  assert.deepEqual([one.length, two.length], [BEACON_BYTES, BEACON_BYTES]);
  const other = sealBeacon(keys, encodeBeacon(CALL));
  const equal = [...other.subarray(4)].filter((byte, index) => byte === one[4 + index]).length;
  assert.ok(equal < 10, `${equal} of 76 bytes are the same in two calls`);
});

test('another token, another cluster name, another version and a changed byte open nothing', async () => {
  const datagram = sealBeacon(keys, encodeBeacon(CALL));
  for (const [token, name] of [
    ['12345679', 'shoal'],
    ['12345678', 'other'],
  ] as const) {
    const ring = await deriveKeyRing([token], name);
    assert.equal(openBeacon(ring.beacon, datagram), 'unknownKey');
  }
  for (let index = 4; index < datagram.length; index++) {
    const changed = Buffer.from(datagram);
    changed[index]! ^= 1;
    assert.equal(openBeacon(keys, changed), 'unknownKey');
  }
  const later = Buffer.from(datagram);
  later[2] = 2;
  assert.equal(openBeacon(keys, later), 'foreign');
  assert.equal(openBeacon(keys, datagram.subarray(1)), 'foreign');
});

test('a beacon of any of several tokens is opened', async () => {
  const { beacon: both } = await deriveKeyRing(['new', '12345678'], 'shoal');
  assert.ok(typeof openBeacon(both, sealBeacon(keys, encodeBeacon(CALL))) !== 'string');
  const old = openBeacon(keys, sealBeacon(both, encodeBeacon(CALL)));
  assert.equal(old, 'unknownKey', 'the first token seals');
});
