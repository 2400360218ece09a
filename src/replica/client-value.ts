// The value of a client's register: the will that other nodes publish if the client's whole node dies.
// Which node that is the register's stamp says. Big endian. docs/protocol-replication.md has the same.
// Invariant: decode never throws.
//
//   offset  size  field
//        0     1  flags: bit 0 = there is a will, bits 1 and 2 its QoS, bit 3 its RETAIN
//        1     4  Will Delay Interval, s
//        5     4  Message Expiry Interval, s; ffffffff for none
//        9     2  length of the topic, then the topic, UTF-8
//              2  length of the properties, then MQTT 5 property bytes
//              n  payload

import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { QoS } from '../mqtt/publish-view.ts';

const HEAD_BYTES = 9;
const FLAG_WILL = 0x01;
const FLAG_RETAIN = 0x08;
const NO_EXPIRY = 0xffffffff;

const SIZED_BYTES_MAX = 0xffff;

export const NO_WILL = Buffer.from([0]);

/** @returns undefined if the properties are longer than their length can say */
export function encodeClient(will: WillPacket | undefined): Buffer | undefined {
  if (will === undefined) return NO_WILL;
  if (will.properties.length > SIZED_BYTES_MAX) return undefined;
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = FLAG_WILL | (will.qos << 1) | (will.retain ? FLAG_RETAIN : 0);
  head.writeUInt32BE(will.delaySeconds, 1);
  head.writeUInt32BE(will.expirySeconds < 0 ? NO_EXPIRY : will.expirySeconds, 5);
  const topic = Buffer.from(will.topic, 'utf8');
  return Buffer.concat([head, sized(topic), sized(will.properties), will.payload]);
}

/** @returns undefined where there is no will, or the value is malformed; parts are views */
export function decodeClient(value: Buffer): WillPacket | undefined {
  const flags = value[0] ?? 0;
  const qos = (flags >> 1) & 3;
  if (value.length < HEAD_BYTES || (flags & FLAG_WILL) === 0 || qos === 3) return undefined;
  const topic = readSized(value, HEAD_BYTES);
  const properties = topic && readSized(value, topic.end);
  if (topic === undefined || properties === undefined) return undefined;
  const expiry = value.readUInt32BE(5);
  return {
    topic: topic.bytes.toString('utf8'),
    payload: value.subarray(properties.end),
    qos: qos as QoS,
    retain: (flags & FLAG_RETAIN) !== 0,
    properties: properties.bytes,
    delaySeconds: value.readUInt32BE(1),
    expirySeconds: expiry === NO_EXPIRY ? -1 : expiry,
    payloadIsText: false,
  };
}

function sized(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function readSized(
  value: Buffer,
  at: number,
): { readonly bytes: Buffer; readonly end: number } | undefined {
  if (at + 2 > value.length) return undefined;
  const end = at + 2 + value.readUInt16BE(at);
  return end > value.length ? undefined : { bytes: value.subarray(at + 2, end), end };
}
