// The code makes the test vectors of docs/protocol.md from the same input, and accepts what another
// implementation sends by them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  Opener,
  Sealer,
} from '../../../src/shared/envelope.ts';
import { deriveKeyRing } from '../../../src/shared/key-ring.ts';
import {
  DATA_HEADER_BYTES,
  WELCOME_BYTES,
  writeAsksForAck,
  writeDataHeader,
  writeHello,
  writeSequence,
  writeWelcome,
} from '../../../src/sync/body-codec.ts';
import { HEARTBEAT_BYTES, writeHeartbeat } from '../../../src/sync/heartbeat-codec.ts';
import { DATAGRAM_BYTES_MAX } from '../../../src/sync/limits.ts';
import { SyncNode } from '../../../src/sync/sync-node.ts';
import { publishPacket, syncNodeOptions, topicOf, viewOf } from '../../support/sync-fixtures.ts';

const doc = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
const { sync: keys, gossip } = await deriveKeyRing(['correct horse'], 'shoal');

/** The hexadecimal block that follows `### <title>`, without its spaces and remarks. */
function vector(title: string): string {
  const block = doc.split(`### ${title}\n`)[1]?.split('```')[1] ?? '';
  return block
    .split('\n')
    .slice(1)
    .map((line) =>
      line
        .replace(/#.*$/, '')
        .replace(/00 x (\d+)/, zeros)
        .replaceAll(' ', ''),
    )
    .join('');
}

function zeros(_: string, count: string): string {
  return '00'.repeat(Number(count));
}

/** A hello, a data datagram with two messages, a heartbeat, an ack and a welcome; several hellos first above 1400 bytes. */
function datagrams(encrypt: boolean, datagramBytes: number): Buffer[] {
  const sent: Buffer[] = [];
  const node = new SyncNode({
    ...syncNodeOptions(keys),
    bootId: 0x0102030405060708n,
    encrypt,
    datagramBytes,
    queueLength: 1,
    outbox: {
      send: (datagram) => {
        sent.push(Buffer.from(datagram));
        return true;
      },
      isReady: () => true,
    },
    randomNonce: () => Buffer.from('a0a1a2a3a4a5a6a7', 'hex'),
    handler: { publishFromPeer: () => assert.fail('no peer has sent a message') },
  });
  node.setPeers([{ name: 'b', bootId: 9n, endpoint: { address: '10.0.0.1', port: 1 } }], 0);
  const plain = viewOf(publishPacket({ topic: 'a/b', payload: '1' }, 4), 4);
  node.forward(plain, topicOf(plain), 'client');
  const rich = viewOf(
    publishPacket({
      topic: 'a/b',
      payload: '{}',
      qos: 1,
      messageId: 7,
      retain: true,
      dup: true,
      properties: { contentType: 'json', topicAlias: 5 },
    }),
  );
  node.forward(rich, topicOf(rich), 'client');
  node.flush(0);
  for (const body of [welcomeBody(), heartbeatBody()]) node.receive(seal(body, encrypt), 2);
  node.advance(100);
  for (const body of [askingBody(), helloBody()]) node.receive(seal(body, encrypt), 100);
  return sent;
}

/** A data datagram of the peer, without a packet, that asks for an ack. */
function askingBody(): Buffer {
  const body = Buffer.alloc(DATA_HEADER_BYTES);
  writeDataHeader(body, 0, 0, 22);
  writeSequence(body, 0, 12);
  writeAsksForAck(body, 0, true);
  return body;
}

/** In the largest datagram. */
function helloBody(): Buffer {
  const body = Buffer.alloc(DATAGRAM_BYTES_MAX - ENVELOPE_BYTES);
  writeHello(body, 0, body.length, Buffer.from('b0b1b2b3b4b5b6b7', 'hex'));
  return body;
}

/** The peer's stream begins for the node at sequence 11 with packet 21. */
function welcomeBody(): Buffer {
  const body = Buffer.alloc(WELCOME_BYTES);
  const nonce = Buffer.from('a0a1a2a3a4a5a6a7', 'hex');
  writeWelcome(body, 0, nonce, 1400, { sequence: 11, number: 21 });
  return body;
}

/** The peer's fifth heartbeat. The node has missed its sequence 11 with packet 21. */
function heartbeatBody(): Buffer {
  const body = Buffer.alloc(HEARTBEAT_BYTES);
  writeHeartbeat(body, 0, body.length, {
    receiverBootId: 0x0102030405060708n,
    number: 5,
    ackedNumber: 0,
    ackedBefore: 0,
    ackDelayMs: 0,
    sentSequence: 11,
    sentNumber: 22,
    settledSequence: 0,
    lostDatagrams: 0,
    expectedNumber: 0,
    lostMessages: 0,
  });
  return body;
}

const sealers = [false, true].map((encrypt) => new Sealer(keys, 9n, encrypt));

function seal(body: Buffer, encrypt: boolean): Buffer {
  const buffer = Buffer.alloc(body.length + ENVELOPE_BYTES);
  body.copy(buffer, ENVELOPE_HEADER_BYTES);
  const sealer = sealers[Number(encrypt)]!;
  return sealer.seal(buffer, ENVELOPE_HEADER_BYTES + body.length);
}

test('the documented token gives the documented keys', () => {
  const key = keys.signing;
  assert.equal(
    vector('Keys'),
    [
      key.id.toString(16).padStart(8, '0'),
      key.macKey.toString('hex'),
      key.cipherRoot.toString('hex'),
      gossip.signing.id.toString(16).padStart(8, '0'),
    ].join(''),
  );
});

for (const [title, encrypt, index, bytes] of [
  ['Hello, signed', false, 0, 1400],
  ['Hello of the largest size, signed', false, 0, 65_000],
  ['Data, signed', false, 1, 1400],
  ['Data, encrypted', true, 1, 1400],
  ['Heartbeat, signed', false, 2, 1400],
  ['Ack, signed', false, 3, 1400],
  ['Welcome, signed', false, 4, 1400],
] as const) {
  test(`a node sends and accepts the vector "${title}"`, () => {
    const datagram = datagrams(encrypt, bytes)[index];
    assert.equal(vector(title), datagram?.toString('hex'));
    const opened = new Opener(keys, encrypt).open(Buffer.from(vector(title), 'hex'));
    assert.ok(typeof opened === 'object');
    assert.equal(opened.bootId, 0x0102030405060708n);
    assert.equal(opened.counter, index + 1);
  });
}
