// The last packet of a connection that the broker ends: CONNACK with an error (MQTT 5.0 3.2), or
// DISCONNECT (3.14).

import { encodeConnack, encodeDisconnect } from '../../mqtt/control-encoder.ts';
import type { ProtocolVersion } from '../../mqtt/publish-view.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import type { ConnectionState } from './connection-state.ts';

/** @returns undefined where the version has no such answer */
export function refusalPacket(
  version: ProtocolVersion,
  state: ConnectionState,
  reasonCode: number,
): Buffer | undefined {
  // A CONNECT of an unknown version gets no answer in the form of MQTT 5. Before MQTT 5, CONNACK has no
  // code for a wrong topic, so there is no answer to it [MQTT3-3.2.2-6].
  const isAnswerable =
    version === 5 ||
    (state === 'authenticating' && reasonCode !== ReasonCode.topicNameInvalid) ||
    reasonCode === ReasonCode.unsupportedProtocolVersion;
  return isAnswerable ? encodeConnack(version, reasonCode, false, {}) : undefined;
}

/** MQTT 5 only. Without its text where that would exceed what the client takes. */
export function disconnectPacket(
  reasonCode: number,
  text: string | undefined,
  bytesMax: number,
): Buffer {
  const packet = encodeDisconnect(reasonCode, text);
  return packet.length <= bytesMax ? packet : encodeDisconnect(reasonCode, undefined);
}
