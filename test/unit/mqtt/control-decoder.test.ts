import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeConnect,
  decodeDisconnect,
  decodeSubscribe,
} from '../../../src/mqtt/control-decoder.ts';
import { encodeConnack } from '../../../src/mqtt/control-encoder.ts';
import { ProtocolError } from '../../../src/mqtt/protocol-fault.ts';
import { connect, disconnect, subscribe } from '../../support/wire.ts';

const BODY = 2;

test('a packet that cannot be decoded leaves nothing behind for the next one', () => {
  const good = subscribe(4, 7, [{ filter: 'a/b', qos: 1 }]);
  const bad = Buffer.from(good);
  bad[bad.length - 1] = 3;
  for (const version of [4, 5] as const) {
    assert.throws(() => decodeSubscribe(bad, 0, BODY, bad.length, version), ProtocolError);
    const short = good.subarray(0, 5);
    assert.throws(() => decodeSubscribe(short, 0, BODY, short.length, version), ProtocolError);
  }
  const { packetId, subscriptions } = decodeSubscribe(good, 0, BODY, good.length, 4);
  assert.equal(packetId, 7);
  assert.deepEqual(
    subscriptions.map(({ filter, qos }) => [filter, qos]),
    [['a/b', 1]],
  );
});

test('each CONNECT is decoded for itself', () => {
  for (let i = 0; i < 3; i++) {
    const first = connect({ version: 4, clientId: 'one', username: 'anna', password: 'secret' });
    const second = connect({ version: 4, clientId: 'other' });
    const one = decodeConnect(first, 0, BODY, first.length);
    const other = decodeConnect(second, 0, BODY, second.length);
    assert.deepEqual([one.clientId, one.username, `${one.password}`], ['one', 'anna', 'secret']);
    assert.deepEqual(
      [other.clientId, other.username, other.password],
      ['other', undefined, undefined],
    );
  }
});

test('DISCONNECT without a body is a normal one in every version', () => {
  const bytes = disconnect();
  for (const version of [3, 4, 5] as const) {
    const { reasonCode } = decodeDisconnect(bytes, 0, BODY, bytes.length, version);
    assert.equal(reasonCode, 0);
  }
});

test('CONNACK has Session Present in MQTT 3.1.1, and not in 3.1', () => {
  assert.equal(encodeConnack(4, 0, true, {}).toString('hex'), '20020100');
  assert.equal(encodeConnack(3, 0, true, {}).toString('hex'), '20020000');
  assert.equal(encodeConnack(4, 0x87, false, {}).toString('hex'), '20020005');
});
