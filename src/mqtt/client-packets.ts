// The client's side of the packets off the hot path: encoders of CONNECT, SUBSCRIBE, UNSUBSCRIBE and
// DISCONNECT, decoders of CONNACK and SUBACK, by mqtt-packet. For our own clients: the commands and the
// bridge.
// Encoders return a new buffer. Decoders throw ProtocolError, nothing else.

import mqttPacket from 'mqtt-packet';
import { BRIDGE_PROPERTY } from './hops-property.ts';
import { RECEIVE_MAXIMUM_DEFAULT } from './limits.ts';
import { FirstByte, packetTypeOf } from './packet-type.ts';
import { malformed, ProtocolError } from './protocol-fault.ts';
import type { ProtocolVersion, QoS } from './publish-view.ts';
import { ReasonCode, ReturnCode } from './reason-code.ts';

export interface ClientWill {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
}

export interface ConnectFields {
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly will: ClientWill | undefined;
  /** MQTT 5 only. */
  readonly sessionExpirySeconds: number;
  /** What the client takes. MQTT 5 only; undefined: all that the specification allows, and no alias. */
  readonly limits?: ClientLimits;
  /** MQTT 5: the name of the bridge that the client is, for a server that is a Shoal. */
  readonly bridgeName?: string;
  /** Mosquitto's bridge bit, before MQTT 5: the server then returns none of the client's own messages. */
  readonly isBridge?: boolean;
}

export interface ClientLimits {
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
}

export interface SubscribeFields {
  readonly packetId: number;
  readonly filters: readonly string[];
  readonly qos: QoS;
  /** MQTT 5 only. */
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
}

export interface ConnackPacket {
  readonly sessionPresent: boolean;
  /** Of MQTT 5; a return code of an earlier version is translated. */
  readonly reasonCode: number;
  readonly reasonString: string | undefined;
  readonly receiveMaximum: number;
  /** The server may have chosen it. */
  readonly clientId: string | undefined;
  /** The server may have changed it. */
  readonly keepAliveSeconds: number | undefined;
  readonly maximumQos: QoS;
  readonly retainAvailable: boolean;
  /** Infinity where the server set none. */
  readonly maximumPacketBytes: number;
  readonly topicAliasMaximum: number;
}

/** CONNACK before MQTT 5. */
const PLAIN_CONNACK_BYTES = 4;

export const PINGREQ = Buffer.from([FirstByte.pingreq, 0]);

/** The Reason Codes that the return codes of MQTT 3.1.1 stand for. */
const REASON_OF_RETURN_CODE: Readonly<Record<number, number>> = {
  [ReturnCode.accepted]: ReasonCode.success,
  [ReturnCode.unacceptableProtocolVersion]: ReasonCode.unsupportedProtocolVersion,
  [ReturnCode.identifierRejected]: ReasonCode.clientIdentifierNotValid,
  [ReturnCode.serverUnavailable]: ReasonCode.serverUnavailable,
  [ReturnCode.badUserNameOrPassword]: ReasonCode.badUserNameOrPassword,
  [ReturnCode.notAuthorized]: ReasonCode.notAuthorized,
};

/** @param code of a CONNACK before MQTT 5 */
export function reasonOfReturnCode(code: number): number {
  return REASON_OF_RETURN_CODE[code] ?? ReasonCode.unspecifiedError;
}

export function encodeConnect(fields: ConnectFields): Buffer {
  const { version, clientId, cleanStart, keepAliveSeconds, username, password, will } = fields;
  const { sessionExpirySeconds: sessionExpiryInterval, limits, isBridge, bridgeName } = fields;
  const properties = {
    ...(sessionExpiryInterval > 0 && { sessionExpiryInterval }),
    ...limits,
    ...(bridgeName !== undefined && { userProperties: { [BRIDGE_PROPERTY]: bridgeName } }),
  };
  return mqttPacket.generate({
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    clientId,
    clean: cleanStart,
    keepalive: keepAliveSeconds,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password) }),
    ...(will && { will }),
    ...(version === 5 && { properties }),
    ...(version !== 5 && isBridge === true && { bridgeMode: true }),
  });
}

export function encodeSubscribe(version: ProtocolVersion, fields: SubscribeFields): Buffer {
  const { packetId: messageId, filters, qos, noLocal: nl, retainAsPublished: rap } = fields;
  const options = version === 5 ? { qos, nl, rap, rh: 0 } : { qos };
  const subscriptions = filters.map((topic) => ({ topic, ...options }));
  return generate({ cmd: 'subscribe', messageId, subscriptions }, version);
}

export function encodeUnsubscribe(
  version: ProtocolVersion,
  packetId: number,
  filters: readonly string[],
): Buffer {
  const unsubscriptions = [...filters];
  return generate({ cmd: 'unsubscribe', messageId: packetId, unsubscriptions }, version);
}

/** A normal disconnection: the will is not published. */
export function encodeClientDisconnect(version: ProtocolVersion): Buffer {
  return generate({ cmd: 'disconnect' }, version);
}

/** @param packet one whole packet */
export function decodeConnack(packet: Buffer, version: ProtocolVersion): ConnackPacket {
  // A server that does not speak MQTT 5 answers in the form of an earlier version.
  const isPlain = packet.length === PLAIN_CONNACK_BYTES;
  const found = parse(packet, isPlain ? 4 : version, 'connack');
  const { properties = {}, returnCode = 0 } = found;
  const translated = reasonOfReturnCode(returnCode);
  return {
    sessionPresent: found.sessionPresent,
    reasonCode: isPlain ? translated : (found.reasonCode ?? 0),
    reasonString: properties.reasonString,
    receiveMaximum: properties.receiveMaximum ?? RECEIVE_MAXIMUM_DEFAULT,
    clientId: properties.assignedClientIdentifier,
    keepAliveSeconds: properties.serverKeepAlive,
    maximumQos: (properties.maximumQoS ?? 2) as QoS,
    retainAvailable: properties.retainAvailable ?? true,
    maximumPacketBytes: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
  };
}

/** @returns the Reason Code or granted QoS of each filter, in order */
export function decodeSuback(packet: Buffer, version: ProtocolVersion): readonly number[] {
  return parse(packet, version, 'suback').granted as number[];
}

/** The Reason Code of a server's DISCONNECT (MQTT 5), and its Reason String. */
export function decodeServerDisconnect(packet: Buffer): {
  readonly reasonCode: number;
  readonly reasonString: string | undefined;
} {
  const { reasonCode = 0, properties } = parse(packet, 5, 'disconnect');
  return { reasonCode, reasonString: properties?.reasonString };
}

function parse<C extends 'connack' | 'suback' | 'disconnect'>(
  packet: Buffer,
  version: ProtocolVersion,
  cmd: C,
): Extract<mqttPacket.Packet, { cmd: C }> {
  let found: mqttPacket.Packet | undefined;
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on('packet', (one) => {
    found = one;
  });
  // An error leaves `found` undefined.
  parser.on('error', () => undefined);
  parser.parse(packet);
  if (found?.cmd !== cmd) {
    throw new ProtocolError(malformed(`packet type ${packetTypeOf(packet[0] ?? 0)} is ill-formed`));
  }
  return found as Extract<mqttPacket.Packet, { cmd: C }>;
}

/** A retained message of the client itself, with QoS 0. */
export function encodeNotice(version: ProtocolVersion, topic: string, payload: string): Buffer {
  return generate({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: true }, version);
}

function generate(packet: mqttPacket.Packet, version: ProtocolVersion): Buffer {
  return mqttPacket.generate(packet, { protocolVersion: version });
}
