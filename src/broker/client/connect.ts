// CONNECT (MQTT 5.0 3.1, 3.2, 4.1): who may come in, which session it gets, what CONNACK says.

import type { ConnectPacket } from '../../mqtt/control-decoder.ts';
import { type ConnackProperties, encodeConnack } from '../../mqtt/control-encoder.ts';
import { SESSION_EXPIRY_NEVER } from '../../mqtt/limits.ts';
import { formatReasonCode, ReasonCode } from '../../mqtt/reason-code.ts';
import { isWellFormed } from '../../mqtt/utf8.ts';
import type { Broker } from '../broker.ts';
import { originOf } from '../log-fields.ts';
import type { BrokerOptions } from '../options.ts';
import type { AuthDecision, Identity } from '../ports.ts';
import { discardWill } from '../session/wills.ts';
import type { Client } from './client.ts';

const ID_DIGITS = 22;
const ID_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** In words, where nobody else has any. */
const REFUSALS: Readonly<Record<number, string>> = {
  [ReasonCode.badAuthenticationMethod]: 'enhanced authentication is not offered',
  [ReasonCode.clientIdentifierNotValid]: 'it brings no client identifier',
  [ReasonCode.quotaExceeded]: 'max-connections or max-sessions is reached',
};

export function handleConnect(broker: Broker, client: Client, packet: ConnectPacket): void {
  broker.stats.connectsReceived += 1;
  client.version = packet.version;
  client.bridge = packet.bridge;
  client.requestProblemInformation = packet.requestProblemInformation;
  client.packetBytesMax = packet.maximumPacketBytes;
  const refusal = refusalOf(broker, packet);
  if (refusal !== 0) {
    refuse(broker, client, packet, { reasonCode: refusal });
    return;
  }
  const assigned = packet.clientId.length === 0;
  const clientId = assigned ? makeClientId(broker) : packet.clientId;
  const { username, password } = packet;
  const { remoteAddress } = client.info;
  const { listener } = client;
  const request = { clientId, username, password, remoteAddress, listener };
  let synchronous = true;
  broker.authorizer.authenticate(request, (decision) => {
    if (client.closed) return;
    if (decision.reasonCode !== 0) {
      refuse(broker, client, packet, decision);
      return;
    }
    // Others may have come in while this one was checked.
    if (!hasRoom(broker, clientId)) {
      refuse(broker, client, packet, { reasonCode: ReasonCode.quotaExceeded });
      return;
    }
    admit(broker, client, packet, identityOf(clientId, packet, decision), assigned);
    if (decision.expiresInMs !== undefined) client.expireAfter(decision.expiresInMs);
    if (!synchronous) client.resume();
  });
  synchronous = false;
}

/** A warning: whoever tries passwords is seen, however little the log tells. */
function refuse(
  broker: Broker,
  client: Client,
  { clientId, username }: ConnectPacket,
  { reasonCode, reason = REFUSALS[reasonCode] }: AuthDecision,
): void {
  const code = formatReasonCode(reasonCode);
  broker.log.warn('connection refused', {
    client: client.session?.clientId ?? clientId,
    user: username,
    ...originOf(client.info),
    code,
    reason,
  });
  if (client.session === undefined) client.refuse(reasonCode);
  else client.disconnect(reasonCode, 'the right to connect is gone', true);
}

function identityOf(clientId: string, packet: ConnectPacket, decision: AuthDecision): Identity {
  const { username = packet.username, grant } = decision;
  return { clientId, username, grant };
}

function hasRoom(broker: Broker, clientId: string): boolean {
  return broker.clientCount < broker.options.connectionsMax && broker.hasRoomFor(clientId);
}

/** Reason Code for a CONNECT that can't be served, 0 for one that can. */
function refusalOf(broker: Broker, packet: ConnectPacket): number {
  const { options } = broker;
  if (packet.authenticationMethod !== undefined) return ReasonCode.badAuthenticationMethod;
  if (packet.clientId.length === 0) {
    // [MQTT3-3.1.3-8] without a name there is no session to come back to.
    const allowed = packet.version === 5 || (packet.version === 4 && packet.cleanStart);
    if (!allowed || !options.emptyClientIdAllowed) return ReasonCode.clientIdentifierNotValid;
  }
  if (!hasRoom(broker, packet.clientId)) return ReasonCode.quotaExceeded;
  const { will } = packet;
  if (will === undefined) return 0;
  if (will.qos > options.maximumQos) return ReasonCode.qosNotSupported;
  if (will.retain && !options.retainAvailable) return ReasonCode.retainNotSupported;
  if (will.payloadIsText && !isWellFormed(will.payload, 0, will.payload.length)) {
    return ReasonCode.payloadFormatInvalid;
  }
  return 0;
}

function admit(
  broker: Broker,
  client: Client,
  packet: ConnectPacket,
  identity: Identity,
  assigned: boolean,
): void {
  const { options } = broker;
  const wanted = wantedExpiry(packet);
  const expirySeconds = broker.boundedExpiry(wanted);
  const keepAliveSeconds = boundedKeepAlive(packet, options);
  const properties =
    packet.version === 5
      ? connackProperties(options, {
          clientId: assigned ? identity.clientId : undefined,
          packetBytesMax: client.listener.packetBytesMax ?? options.packetBytesMax,
          expirySeconds: expirySeconds === wanted ? undefined : expirySeconds,
          keepAliveSeconds:
            keepAliveSeconds === packet.keepAliveSeconds ? undefined : keepAliveSeconds,
        })
      : {};
  const connack = (present: boolean): Buffer =>
    encodeConnack(packet.version, ReasonCode.success, present, properties);
  // [MQTT5-3.1.2-24] what a client can't take, CONNACK included, is not sent.
  if (
    client.packetBytesMax < Number.POSITIVE_INFINITY &&
    connack(false).length > client.packetBytesMax
  ) {
    client.refuse(ReasonCode.packetTooLarge);
    return;
  }
  const { session, present } = broker.openSession(client, identity, packet.cleanStart);
  session.expirySeconds = expirySeconds;
  discardWill(broker, session);
  if (packet.will !== undefined) session.will = { packet: packet.will, deadline: undefined };
  client.sendWindow = Math.min(packet.receiveMaximum, options.inflightMax);
  client.connected(session, {
    keepAliveSeconds,
    topicAliasMaximum: Math.min(packet.topicAliasMaximum, options.topicAliasMaximum),
  });
  session.attach(client);
  broker.clientConnected(client, session);
  client.sendControl(connack(present));
  client.pump();
}

/** Seconds; MQTT 3 knows only "with the connection" and "for ever" (Clean Session). */
function wantedExpiry(packet: ConnectPacket): number {
  if (packet.version !== 5) return packet.cleanStart ? 0 : Number.POSITIVE_INFINITY;
  const seconds = packet.sessionExpirySeconds ?? 0;
  return seconds === SESSION_EXPIRY_NEVER ? Number.POSITIVE_INFINITY : seconds;
}

/** Only MQTT 5 can be told another Keep Alive; earlier clients are held to their own. */
function boundedKeepAlive(packet: ConnectPacket, options: BrokerOptions): number {
  const maximum = options.keepAliveSecondsMax;
  const wanted = packet.keepAliveSeconds;
  if (maximum === 0 || packet.version !== 5) return wanted;
  return wanted === 0 || wanted > maximum ? maximum : wanted;
}

interface Changed {
  readonly clientId: string | undefined;
  /** The listener's, or the node's. */
  readonly packetBytesMax: number;
  readonly expirySeconds: number | undefined;
  readonly keepAliveSeconds: number | undefined;
}

/** What differs from the protocol's defaults, and what we changed of the client's wishes. */
function connackProperties(options: BrokerOptions, changed: Changed): ConnackProperties {
  const properties: ConnackProperties = {
    maximumPacketSize: changed.packetBytesMax,
    receiveMaximum: options.receiveMaximum,
    topicAliasMaximum: options.topicAliasMaximum,
  };
  if (options.maximumQos < 2) properties.maximumQoS = options.maximumQos;
  if (!options.retainAvailable) properties.retainAvailable = false;
  if (!options.wildcardAvailable) properties.wildcardSubscriptionAvailable = false;
  if (!options.sharedAvailable) properties.sharedSubscriptionAvailable = false;
  if (!options.subscriptionIdentifiersAvailable) {
    properties.subscriptionIdentifiersAvailable = false;
  }
  if (changed.clientId !== undefined) properties.assignedClientIdentifier = changed.clientId;
  if (changed.keepAliveSeconds !== undefined) properties.serverKeepAlive = changed.keepAliveSeconds;
  if (changed.expirySeconds !== undefined) {
    properties.sessionExpiryInterval = Math.min(changed.expirySeconds, SESSION_EXPIRY_NEVER);
  }
  return properties;
}

function makeClientId(broker: Broker): string {
  let id = 'auto-';
  for (let i = 0; i < ID_DIGITS; i++) {
    id += ID_ALPHABET[Math.floor(broker.random() * ID_ALPHABET.length)];
  }
  return id;
}
