import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyWriter, decodeMessage, type MessageHead } from '../../../src/swim/codec.ts';
import { encodeMetadata } from '../../../src/swim/metadata.ts';
import type { MemberRecord } from '../../../src/swim/record.ts';
import { isValidName } from '../../../src/swim/record-codec.ts';

const HEAD: MessageHead = {
  kind: 'ping',
  isIndirect: false,
  isLast: false,
  incarnation: 7,
  sequence: 42,
  tableHash: 0x0102030405060708n,
};

const RECORD: MemberRecord = {
  name: 'n2',
  bootId: 0xa1a2a3a4a5a6a7a8n,
  incarnation: 3,
  state: 'alive',
  detail: {
    address: '192.168.1.102',
    port: 7946,
    isAdvertised: false,
    metadata: encodeMetadata({ syncPort: 7947, mqttPort: 1883, version: '0.1.0' }),
    ageMs: 0,
  },
};

/** The vectors of docs/protocol-gossip.md. */
const EMPTY_PING = '010000000007' + '0000002a' + '0102030405060708';
const SHORT_RECORD = '060010' + '01a1a2a3a4a5a6a7a8' + '00000003' + '026e32';
const FULL_RECORD =
  '06002d' +
  '00a1a2a3a4a5a6a7a8' +
  '00000003' +
  '026e32' +
  '0004c0a801661f0a' +
  '00000000' +
  '000f' +
  '01021f0b' +
  '0202075b' +
  '0305302e312e30';

function hexOf(writer: BodyWriter): string {
  return writer.finish().toString('hex');
}

test('a ping without sections is 18 bytes, as docs/protocol-gossip.md shows it', () => {
  const writer = new BodyWriter(HEAD, 1160);
  assert.equal(hexOf(writer), EMPTY_PING);
  assert.ok(writer.isEmpty);
  assert.deepEqual(decodeMessage(writer.finish()), {
    ...HEAD,
    nonce: undefined,
    echo: undefined,
    observed: undefined,
    target: undefined,
    cursor: undefined,
    records: [],
    cluster: undefined,
    application: undefined,
    bodyBytes: 18,
  });
});

test('records are encoded as docs/protocol-gossip.md shows them', () => {
  const short = new BodyWriter(HEAD, 1160);
  short.record({ ...RECORD, state: 'suspect', detail: undefined });
  assert.equal(hexOf(short), EMPTY_PING + SHORT_RECORD);
  const full = new BodyWriter(HEAD, 1160);
  full.record(RECORD);
  assert.equal(hexOf(full).slice(EMPTY_PING.length), FULL_RECORD);
});

test('every section is decoded as it was encoded, for IPv4 and IPv6', () => {
  for (const address of ['10.0.0.9', 'fd00::12']) {
    const endpoint = { address, port: 65535 };
    const detail = { ...RECORD.detail!, address, isAdvertised: true, ageMs: 86_400_000 };
    const records: MemberRecord[] = [
      { ...RECORD, detail, state: 'offline' },
      { ...RECORD, detail: { ...detail, address: undefined } },
      { ...RECORD, detail: undefined, state: 'left' },
    ];
    const writer = new BodyWriter({ ...HEAD, kind: 'page', isIndirect: true, isLast: true }, 1160)
      .nonce(2n ** 64n - 1n)
      .echo(5n)
      .observed(endpoint)
      .target({ bootId: 77n, endpoint })
      .cursor('küche')
      .cluster('plant');
    for (const record of records) assert.ok(writer.record(record));
    assert.ok(writer.application(Buffer.from('state')));
    const message = decodeMessage(writer.finish());
    assert.deepEqual(message, {
      bodyBytes: writer.finish().length,
      ...HEAD,
      kind: 'page',
      isIndirect: true,
      isLast: true,
      nonce: 2n ** 64n - 1n,
      echo: 5n,
      observed: endpoint,
      target: { bootId: 77n, endpoint },
      cursor: 'küche',
      records,
      cluster: 'plant',
      application: Buffer.from('state'),
    });
  }
});

test('a record that does not fit is refused and leaves the body unchanged', () => {
  const writer = new BodyWriter(HEAD, 60);
  assert.equal(writer.record({ ...RECORD, detail: undefined }), true);
  const before = hexOf(writer);
  assert.equal(writer.record(RECORD), false);
  assert.equal(hexOf(writer), before);
});

test('a truncated body is refused or holds fewer sections, never other ones', () => {
  const writer = new BodyWriter(HEAD, 1160).nonce(1n).observed({ address: '::1', port: 1 });
  writer.record(RECORD);
  const body = writer.finish();
  for (let length = 0; length < body.length; length++) {
    const message = decodeMessage(body.subarray(0, length));
    if (message !== undefined) assert.equal(message.records.length, 0);
  }
});

test('sections and trailing fields of a newer node are skipped', () => {
  const unknown = '7f0003aabbcc';
  const longer = `060013${SHORT_RECORD.slice(6)}`;
  const message = decodeMessage(Buffer.from(`${EMPTY_PING}${unknown}${SHORT_RECORD}`, 'hex'));
  assert.equal(message?.records[0]?.name, 'n2');
  assert.equal(decodeMessage(Buffer.from(`${EMPTY_PING}${longer}`, 'hex')), undefined);
  const full = Buffer.from(`${EMPTY_PING}${FULL_RECORD}eeee`, 'hex');
  full.writeUInt16BE(full.readUInt16BE(19) + 2, 19);
  assert.equal(decodeMessage(full)?.records[0]?.detail?.port, 7946);
});

test('unknown kinds, port 0 and states out of range are malformed', () => {
  assert.equal(decodeMessage(Buffer.from(`00${EMPTY_PING.slice(2)}`, 'hex')), undefined);
  assert.equal(decodeMessage(Buffer.from(`0a${EMPTY_PING.slice(2)}`, 'hex')), undefined);
  const port = FULL_RECORD.replace('1f0a', '0000');
  assert.equal(decodeMessage(Buffer.from(EMPTY_PING + port, 'hex')), undefined);
  const state = SHORT_RECORD.replace('01a1', '04a1');
  assert.equal(decodeMessage(Buffer.from(EMPTY_PING + state, 'hex')), undefined);
});

test('a name that could garble a log or a terminal is refused', () => {
  for (const name of ['n1', 'küche-2', 'a'.repeat(64), '箱']) assert.ok(isValidName(name), name);
  for (const name of ['', 'a b', 'a\nb', '\u001b[31m', '\u202ex', 'a'.repeat(65), '\ufffd']) {
    assert.ok(!isValidName(name), JSON.stringify(name));
  }
});
