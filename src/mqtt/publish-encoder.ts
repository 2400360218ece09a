// Encoder of PUBLISH to a subscriber (MQTT 5.0 3.3), on the hot path. Writes into the caller's buffer,
// so that many packets share one allocation.

import { copyBytes } from '../shared/copy-bytes.ts';
import { FirstByte, PublishFlag } from './packet-type.ts';
import { PropertyId } from './properties.ts';
import type { ProtocolVersion } from './publish-view.ts';
import { encodeVarint, varintBytes } from './varint.ts';

const NO_BYTES = Buffer.alloc(0);
const EXPIRY_BYTES = 5;
const ALIAS_BYTES = 3;

/** The parts of the packet. Buffers are only read. */
export interface PublishFields {
  version: ProtocolVersion;
  /** Packet type, DUP, QoS and RETAIN, as publishFirstByte() makes it. */
  firstByte: number;
  /** Ignored with QoS 0. */
  packetId: number;
  /** UTF-8 of the Topic Name; empty where a Topic Alias that the client knows replaces it. */
  topic: Buffer;
  /** Properties that are written unchanged (see copyForwardableProperties). MQTT 5 only. */
  properties: Buffer;
  /** Message Expiry Interval left, seconds; -1 for none. MQTT 5 only. */
  expirySeconds: number;
  /** MQTT 5 only. */
  subscriptionIdentifiers: readonly number[];
  /** 0 for none. MQTT 5 only. */
  topicAlias: number;
  payloadBytes: number;
}

/** Of a QoS 0 message, for a caller that sets its own values in them packet after packet. */
export function emptyPublishFields(version: ProtocolVersion): PublishFields {
  return {
    version,
    firstByte: FirstByte.publish,
    packetId: 0,
    topic: NO_BYTES,
    properties: NO_BYTES,
    expirySeconds: -1,
    subscriptionIdentifiers: [],
    topicAlias: 0,
    payloadBytes: 0,
  };
}

function propertiesBytes(fields: PublishFields): number {
  let bytes = fields.properties.length;
  if (fields.expirySeconds >= 0) bytes += EXPIRY_BYTES;
  if (fields.topicAlias > 0) bytes += ALIAS_BYTES;
  for (const id of fields.subscriptionIdentifiers) bytes += 1 + varintBytes(id);
  return bytes;
}

function remainingLength(fields: PublishFields, properties: number): number {
  let bytes = 2 + fields.topic.length + fields.payloadBytes;
  if ((fields.firstByte & PublishFlag.qosMask) !== 0) bytes += 2;
  if (fields.version === 5) bytes += varintBytes(properties) + properties;
  return bytes;
}

/** Bytes of the whole packet, payload included. */
export function publishBytes(fields: PublishFields): number {
  const remaining = remainingLength(fields, fields.version === 5 ? propertiesBytes(fields) : 0);
  return 1 + varintBytes(remaining) + remaining;
}

/** Writes all of the packet but the payload. @returns the offset behind it, where the payload belongs */
export function encodePublishHead(buffer: Buffer, at: number, fields: PublishFields): number {
  const propertiesLength = fields.version === 5 ? propertiesBytes(fields) : 0;
  buffer[at] = fields.firstByte;
  let position = encodeVarint(buffer, at + 1, remainingLength(fields, propertiesLength));
  const { topic } = fields;
  buffer[position++] = topic.length >> 8;
  buffer[position++] = topic.length & 0xff;
  position = copyBytes(buffer, position, topic, 0, topic.length);
  if ((fields.firstByte & PublishFlag.qosMask) !== 0) {
    buffer[position++] = fields.packetId >> 8;
    buffer[position++] = fields.packetId & 0xff;
  }
  if (fields.version !== 5) return position;
  position = encodeVarint(buffer, position, propertiesLength);
  if (fields.expirySeconds >= 0) {
    buffer[position] = PropertyId.messageExpiryInterval;
    position = buffer.writeUInt32BE(fields.expirySeconds, position + 1);
  }
  for (const id of fields.subscriptionIdentifiers) {
    buffer[position] = PropertyId.subscriptionIdentifier;
    position = encodeVarint(buffer, position + 1, id);
  }
  if (fields.topicAlias > 0) {
    buffer[position] = PropertyId.topicAlias;
    position = buffer.writeUInt16BE(fields.topicAlias, position + 1);
  }
  const { properties } = fields;
  return copyBytes(buffer, position, properties, 0, properties.length);
}
