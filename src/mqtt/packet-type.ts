// The first byte of every MQTT Control Packet: its type in the high four bits, its flags in the low
// four. Source: MQTT 5.0 2.1.2 and 2.1.3, MQTT 3.1.1 2.2.1 and 2.2.2.

import type { QoS } from './publish-view.ts';

/** The packet type, four bits. */
export const PacketType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

/** The whole first byte of each packet with its prescribed flags [MQTT5-2.1.3-1]; of PUBLISH, with no flag set. */
export const FirstByte = {
  connect: 0x10,
  connack: 0x20,
  publish: 0x30,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x62,
  pubcomp: 0x70,
  subscribe: 0x82,
  suback: 0x90,
  unsubscribe: 0xa2,
  unsuback: 0xb0,
  pingreq: 0xc0,
  pingresp: 0xd0,
  disconnect: 0xe0,
  auth: 0xf0,
} as const;

/** Flags of PUBLISH's first byte. */
export const PublishFlag = { retain: 0x01, qosMask: 0x06, dup: 0x08 } as const;

const QOS_SHIFT = 1;

/** First bytes by packet type; undefined for type 0, which is reserved. */
const FIRST_BYTES: (number | undefined)[] = [];
for (const name of Object.keys(PacketType) as (keyof typeof PacketType)[]) {
  FIRST_BYTES[PacketType[name]] = FirstByte[name];
}
/** Packets that only a server sends. */
const SERVER_TYPES: readonly number[] = [
  PacketType.connack,
  PacketType.suback,
  PacketType.unsuback,
  PacketType.pingresp,
];

/** The four bits of PacketType. */
export function packetTypeOf(firstByte: number): number {
  return firstByte >> 4;
}

/** 0 to 3: the decoder refuses 3. */
export function qosOf(publishFirstByte: number): number {
  return (publishFirstByte & PublishFlag.qosMask) >> QOS_SHIFT;
}

export function publishFirstByte(dup: boolean, qos: QoS, retain: boolean): number {
  return (
    FirstByte.publish |
    (dup ? PublishFlag.dup : 0) |
    (qos << QOS_SHIFT) |
    (retain ? PublishFlag.retain : 0)
  );
}

/** The first byte with the prescribed flags in place of its own; type 0 stays as it is. */
export function withPrescribedFlags(firstByte: number): number {
  return FIRST_BYTES[packetTypeOf(firstByte)] ?? firstByte;
}

/** True for CONNACK, SUBACK, UNSUBACK and PINGRESP. */
export function isServerPacket(firstByte: number): boolean {
  return SERVER_TYPES.includes(packetTypeOf(firstByte));
}
