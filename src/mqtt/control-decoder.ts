// Decoders of the packets off the hot path: CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT. Each frame
// is checked by frame-check.ts, decoded by mqtt-packet, and translated into the broker's terms.
// Throws ProtocolError, nothing else. The results own their bytes.

import mqttPacket from 'mqtt-packet';
import {
  BRIDGE_BIT,
  checkConnect,
  checkReasonPacket,
  checkSubscribe,
  checkUnsubscribe,
} from './frame-check.ts';
import { BRIDGE_PROPERTY } from './hops-property.ts';
import { RECEIVE_MAXIMUM_DEFAULT } from './limits.ts';
import {
  copyForwardableProperties,
  PublishProperties,
  readPublishProperties,
} from './properties.ts';
import { malformed, ProtocolError } from './protocol-fault.ts';
import type { ProtocolVersion, QoS } from './publish-view.ts';

export interface WillPacket {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Property bytes that travel with the message, in their order. */
  readonly properties: Buffer;
  readonly delaySeconds: number;
  /** -1 where there is none. */
  readonly expirySeconds: number;
  readonly payloadIsText: boolean;
}

export interface ConnectPacket {
  readonly version: ProtocolVersion;
  /**
   * A bridge, by mosquitto's bit or by the user property of ours: its subscriptions are no-local and
   * retain-as-published.
   */
  readonly bridge: boolean;
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Buffer | undefined;
  readonly will: WillPacket | undefined;
  /** Undefined where the client sent none. */
  readonly sessionExpirySeconds: number | undefined;
  readonly receiveMaximum: number;
  /** Infinity where the client set none. */
  readonly maximumPacketBytes: number;
  readonly topicAliasMaximum: number;
  readonly requestResponseInformation: boolean;
  readonly requestProblemInformation: boolean;
  readonly authenticationMethod: string | undefined;
}

export interface SubscriptionRequest {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export interface SubscribePacket {
  readonly packetId: number;
  /** 0 where there is none. */
  readonly subscriptionIdentifier: number;
  readonly subscriptions: readonly SubscriptionRequest[];
}

export interface UnsubscribePacket {
  readonly packetId: number;
  readonly filters: readonly string[];
}

export interface DisconnectPacket {
  readonly reasonCode: number;
  readonly sessionExpirySeconds: number | undefined;
}

/** Without a body, as every version may send it (MQTT 5.0 3.14.2.1). */
const NORMAL_DISCONNECT: DisconnectPacket = { reasonCode: 0, sessionExpirySeconds: undefined };

/** mqtt-packet's parser for one version, and what it found in the present frame. */
interface FrameParser {
  readonly parser: mqttPacket.Parser;
  packet: mqttPacket.Packet | undefined;
  error: Error | undefined;
}

/** By version. A parser is a stream with a list of its own: making one costs as much as decoding. */
const frameParsers: (FrameParser | undefined)[] = [];

function frameParserFor(version: ProtocolVersion): FrameParser {
  const known = frameParsers[version];
  if (known !== undefined) return known;
  const parser = mqttPacket.parser({ protocolVersion: version });
  const made: FrameParser = { parser, packet: undefined, error: undefined };
  parser.on('packet', (packet) => {
    made.packet = packet;
  });
  parser.on('error', (error) => {
    made.error = error;
  });
  frameParsers[version] = made;
  return made;
}

/** Decodes one whole frame with mqtt-packet. */
function parse(frame: Buffer, version: ProtocolVersion): mqttPacket.Packet {
  const frameParser = frameParserFor(version);
  frameParser.parser.parse(frame);
  const { packet, error } = frameParser;
  frameParser.packet = frameParser.error = undefined;
  if (packet === undefined || error !== undefined) {
    // It may hold a part of this frame: the next one gets a new parser.
    frameParsers[version] = undefined;
    throw new ProtocolError(malformed(error?.message ?? 'not a packet'));
  }
  return packet;
}

function parseAs<C extends mqttPacket.PacketCmd>(
  frame: Buffer,
  version: ProtocolVersion,
  cmd: C,
): Extract<mqttPacket.Packet, { cmd: C }> {
  const packet = parse(frame, version);
  if (packet.cmd !== cmd) throw new ProtocolError(malformed(`expected ${cmd}`));
  return packet as Extract<mqttPacket.Packet, { cmd: C }>;
}

/**
 * @param start offset of the fixed header, whose flags are the prescribed ones
 * @param bodyStart offset of the variable header
 */
export function decodeConnect(
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
): ConnectPacket {
  const layout = checkConnect(buffer, bodyStart, end);
  const packet = parseAs(buffer.subarray(start, end), layout.version, 'connect');
  const properties = packet.properties ?? {};
  const versionAt = bodyStart + 2 + buffer.readUInt16BE(bodyStart);
  return {
    version: layout.version,
    bridge:
      (buffer[versionAt]! & BRIDGE_BIT) !== 0 ||
      properties.userProperties?.[BRIDGE_PROPERTY] !== undefined,
    cleanStart: packet.clean ?? false,
    keepAliveSeconds: packet.keepalive ?? 0,
    clientId: packet.clientId,
    username: packet.username,
    password: packet.password === undefined ? undefined : Buffer.from(packet.password),
    will:
      packet.will === undefined
        ? undefined
        : decodeWill(
            packet.will,
            buffer.subarray(layout.willPropertiesStart, layout.willPropertiesEnd),
          ),
    sessionExpirySeconds: properties.sessionExpiryInterval,
    receiveMaximum: properties.receiveMaximum ?? RECEIVE_MAXIMUM_DEFAULT,
    maximumPacketBytes: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    requestResponseInformation: properties.requestResponseInformation ?? false,
    requestProblemInformation: properties.requestProblemInformation ?? true,
    authenticationMethod: properties.authenticationMethod,
  };
}

function decodeWill(
  will: NonNullable<mqttPacket.IConnectPacket['will']>,
  properties: Buffer,
): WillPacket {
  const known = new PublishProperties();
  const fault = readPublishProperties(properties, 0, properties.length, known, 'will');
  if (fault !== undefined) throw new ProtocolError(fault);
  return {
    topic: will.topic,
    payload: Buffer.from(will.payload),
    qos: will.qos ?? 0,
    retain: will.retain ?? false,
    properties: copyForwardableProperties(properties, 0, properties.length, 'will'),
    delaySeconds: will.properties?.willDelayInterval ?? 0,
    expirySeconds: known.expirySeconds,
    payloadIsText: known.payloadIsText,
  };
}

export function decodeSubscribe(
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): SubscribePacket {
  checkSubscribe(buffer, bodyStart, end, version);
  const packet = parseAs(buffer.subarray(start, end), version, 'subscribe');
  return {
    packetId: packet.messageId ?? 0,
    subscriptionIdentifier: packet.properties?.subscriptionIdentifier ?? 0,
    subscriptions: packet.subscriptions.map((subscription) => ({
      filter: subscription.topic,
      qos: subscription.qos,
      noLocal: subscription.nl ?? false,
      retainAsPublished: subscription.rap ?? false,
      retainHandling: (subscription.rh ?? 0) as 0 | 1 | 2,
    })),
  };
}

export function decodeUnsubscribe(
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): UnsubscribePacket {
  checkUnsubscribe(buffer, bodyStart, end, version);
  const packet = parseAs(buffer.subarray(start, end), version, 'unsubscribe');
  return { packetId: packet.messageId ?? 0, filters: packet.unsubscriptions };
}

export function decodeDisconnect(
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): DisconnectPacket {
  checkReasonPacket(buffer, bodyStart, end, version, 'disconnect');
  if (bodyStart === end) return NORMAL_DISCONNECT;
  const packet = parseAs(buffer.subarray(start, end), version, 'disconnect');
  return {
    reasonCode: packet.reasonCode ?? 0,
    sessionExpirySeconds: packet.properties?.sessionExpiryInterval,
  };
}

/** Only checks an AUTH packet: Shoal offers no authentication method, so AUTH is never expected. */
export function checkAuth(
  buffer: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): void {
  checkReasonPacket(buffer, bodyStart, end, version, 'auth');
}
