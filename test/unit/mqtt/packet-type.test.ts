import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FirstByte,
  PacketType,
  packetTypeOf,
  publishFirstByte,
  qosOf,
} from '../../../src/mqtt/packet-type.ts';

test('the first byte of each packet holds its type, and the prescribed flags [MQTT5-2.1.3-1]', () => {
  const withFlags = ['pubrel', 'subscribe', 'unsubscribe'];
  for (const name of Object.keys(PacketType) as (keyof typeof PacketType)[]) {
    assert.equal(packetTypeOf(FirstByte[name]), PacketType[name], name);
    assert.equal(FirstByte[name] & 0x0f, withFlags.includes(name) ? 0x02 : 0, name);
  }
});

test('the first byte of a PUBLISH holds DUP, QoS and RETAIN', () => {
  assert.equal(publishFirstByte(false, 0, false), 0x30);
  assert.equal(publishFirstByte(true, 1, false), 0x3a);
  assert.equal(publishFirstByte(false, 2, true), 0x35);
  for (const qos of [0, 1, 2] as const) assert.equal(qosOf(publishFirstByte(true, qos, true)), qos);
});
