// The test vectors of docs/protocol.md are what the code makes of the same input, and what another
// implementation would send by them is understood.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Opener } from '../../../src/shared/envelope.ts';
import { deriveKeyRing } from '../../../src/shared/key-ring.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { DATAGRAM_BYTES_DEFAULT } from '../../../src/sync/limits.ts';
import { SyncNode } from '../../../src/sync/sync-node.ts';
import { publishPacket, topicOf, viewOf } from '../../support/sync-fixtures.ts';

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

/** A hello, then a data datagram with two messages. */
function datagrams(encrypt: boolean): Buffer[] {
  const sent: Buffer[] = [];
  const node = new SyncNode({
    bootId: 0x0102030405060708n,
    keys,
    encrypt,
    topics: ['#'],
    datagramBytes: DATAGRAM_BYTES_DEFAULT,
    queueLength: 1,
    queuePolicy: 'discard-newest',
    log: silentLogger,
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
  return sent;
}

test('the keys of the documentation come out of its token', () => {
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

for (const [title, encrypt, index] of [
  ['Hello, signed', false, 0],
  ['Data, signed', false, 1],
  ['Data, encrypted', true, 1],
] as const) {
  test(`the vector "${title}" is what is sent, and is accepted`, () => {
    const datagram = datagrams(encrypt)[index];
    assert.equal(vector(title), datagram?.toString('hex'));
    const opened = new Opener(keys, encrypt).open(Buffer.from(vector(title), 'hex'));
    assert.ok(typeof opened === 'object');
    assert.equal(opened.bootId, 0x0102030405060708n);
    assert.equal(opened.counter, index + 1);
  });
}
