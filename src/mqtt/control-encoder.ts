// Encoders of the packets off the hot path: CONNACK, SUBACK, UNSUBACK, DISCONNECT, by mqtt-packet,
// except for CONNACK before MQTT 5.
// Each returns a new buffer.

import mqttPacket from 'mqtt-packet';
import { FirstByte } from './packet-type.ts';
import type { ProtocolVersion } from './publish-view.ts';
import { returnCodeFor } from './reason-code.ts';

// Otherwise mqtt-packet makes a buffer for each of 65,536 numbers at the first packet: 6 MB.
mqttPacket.writeToStream.cacheNumbers = false;

export type ConnackProperties = NonNullable<mqttPacket.IConnackPacket['properties']>;

/** @param reasonCode of MQTT 5; earlier versions receive the nearest return code */
export function encodeConnack(
  version: ProtocolVersion,
  reasonCode: number,
  sessionPresent: boolean,
  properties: ConnackProperties,
): Buffer {
  if (version === 5) {
    return generate({ cmd: 'connack', reasonCode, sessionPresent, properties }, version);
  }
  // MQTT 3.1 has no Session Present bit; the byte is reserved there.
  const present = version === 4 && sessionPresent;
  // Always these four bytes: mqtt-packet would take a hundredth of the time of a whole connection.
  return Buffer.from([FirstByte.connack, 2, present ? 1 : 0, returnCodeFor(reasonCode)]);
}

/** @param granted a Reason Code for each Topic Filter, in order */
export function encodeSuback(
  version: ProtocolVersion,
  packetId: number,
  granted: readonly number[],
): Buffer {
  return generate({ cmd: 'suback', messageId: packetId, granted: [...granted] }, version);
}

/** @param reasonCodes one for each Topic Filter; packets before MQTT 5 have none */
export function encodeUnsuback(
  version: ProtocolVersion,
  packetId: number,
  reasonCodes: readonly number[],
): Buffer {
  return generate({ cmd: 'unsuback', messageId: packetId, granted: [...reasonCodes] }, version);
}

/** For MQTT 5 only: a server of an earlier version sends no DISCONNECT. */
export function encodeDisconnect(reasonCode: number, reasonString: string | undefined): Buffer {
  const properties = reasonString === undefined ? {} : { reasonString };
  return generate({ cmd: 'disconnect', reasonCode, properties }, 5);
}

/** PINGRESP is the same two bytes in every version. */
export const PINGRESP = Buffer.from([FirstByte.pingresp, 0]);

function generate(packet: mqttPacket.Packet, version: ProtocolVersion): Buffer {
  return mqttPacket.generate(packet, { protocolVersion: version });
}
