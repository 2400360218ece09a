// Codec of PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5.0 3.4 to 3.7), which all have the same form:
// Packet Identifier, then in MQTT 5 an optional Reason Code and optional properties.

import { PacketType, packetTypeOf } from './packet-type.ts';
import { PropertyId, walkProperties } from './properties.ts';
import { malformed, type ProtocolFault, protocolFault } from './protocol-fault.ts';
import type { ProtocolVersion } from './publish-view.ts';
import { decodeVarint, encodeVarint, varintBytes } from './varint.ts';

const WRONG_LENGTH = malformed('an acknowledgement of the wrong length');
const NO_PACKET_ID = protocolFault('Packet Identifier 0');
const BAD_REASON = protocolFault('a Reason Code that this packet type does not have');

const RECEIPT_REASONS = new Set([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
const RELEASE_REASONS = new Set([0x00, 0x92]);

/** A decoded acknowledgement; one instance is reused. */
export class AckView {
  packetId = 0;
  reasonCode = 0;
}

/** @returns the client's fault, or undefined; then `view` is filled */
export function decodeAck(
  view: AckView,
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): ProtocolFault | undefined {
  const length = end - bodyStart;
  if (length < 2 || (version !== 5 && length !== 2)) return WRONG_LENGTH;
  view.packetId = (buffer[bodyStart]! << 8) | buffer[bodyStart + 1]!;
  view.reasonCode = 0;
  if (view.packetId === 0) return NO_PACKET_ID;
  if (length === 2) return undefined;
  view.reasonCode = buffer[bodyStart + 2]!;
  const reasons =
    packetTypeOf(buffer[start]!) >= PacketType.pubrel ? RELEASE_REASONS : RECEIPT_REASONS;
  if (!reasons.has(view.reasonCode)) return BAD_REASON;
  if (length === 3) return undefined;
  const propertiesLength = decodeVarint(buffer, bodyStart + 3, end);
  if (propertiesLength < 0) return WRONG_LENGTH;
  const propertiesStart = bodyStart + 3 + varintBytes(propertiesLength);
  if (propertiesStart + propertiesLength !== end) return WRONG_LENGTH;
  return walkProperties(buffer, propertiesStart, end, 'ack');
}

export const ACK_BYTES_MAX = 5;

/**
 * Writes an acknowledgement and returns the offset behind it. The Reason Code is written only in
 * MQTT 5 and only where it is not Success.
 */
export function encodeAck(
  buffer: Buffer,
  at: number,
  header: number,
  packetId: number,
  reasonCode: number,
  version: ProtocolVersion,
): number {
  const withReason = version === 5 && reasonCode !== 0;
  buffer[at] = header;
  buffer[at + 1] = withReason ? 3 : 2;
  buffer[at + 2] = packetId >> 8;
  buffer[at + 3] = packetId & 0xff;
  if (!withReason) return at + 4;
  buffer[at + 4] = reasonCode;
  return at + 5;
}

/** An acknowledgement with a Reason String, in a buffer of its own. MQTT 5 only. */
export function encodeAckWithReason(
  header: number,
  packetId: number,
  reasonCode: number,
  reasonString: string,
): Buffer {
  const text = Buffer.from(reasonString, 'utf8');
  const propertiesBytes = 3 + text.length;
  const remaining = 3 + varintBytes(propertiesBytes) + propertiesBytes;
  const packet = Buffer.alloc(1 + varintBytes(remaining) + remaining);
  packet[0] = header;
  let at = encodeVarint(packet, 1, remaining);
  at = packet.writeUInt16BE(packetId, at);
  at = packet.writeUInt8(reasonCode, at);
  at = encodeVarint(packet, at, propertiesBytes);
  at = packet.writeUInt8(PropertyId.reasonString, at);
  text.copy(packet, packet.writeUInt16BE(text.length, at));
  return packet;
}
