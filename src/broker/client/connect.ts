// CONNECT (MQTT 5.0 3.1, 3.2, 4.1): whether the client is accepted, which session it gets, and what
// CONNACK says. The authorizer may decide later, so other clients connect and end meanwhile.

import { type ConnectPacket, decodeConnect } from '../../mqtt/control-decoder.ts';
import { type ConnackProperties, encodeConnack } from '../../mqtt/control-encoder.ts';
import { peekConnectVersion } from '../../mqtt/frame-check.ts';
import type { Framer } from '../../mqtt/framer.ts';
import { SESSION_EXPIRY_NEVER } from '../../mqtt/limits.ts';
import { FirstByte } from '../../mqtt/packet-type.ts';
import { malformed, ProtocolError, protocolFault } from '../../mqtt/protocol-fault.ts';
import type { QoS } from '../../mqtt/publish-view.ts';
import { formatReasonCode, ReasonCode } from '../../mqtt/reason-code.ts';
import { isWellFormed } from '../../mqtt/utf8.ts';
import type { Ban } from '../ban-list.ts';
import type { BrokerContext } from '../context.ts';
import { identityFields, originOf } from '../log-fields.ts';
import type { LoginGuard } from '../login-guard.ts';
import type { BrokerOptions } from '../options.ts';
import type { AuthDecision, Identity, ListenerRules } from '../ports.ts';
import { FOREIGN_BRIDGE } from '../session/bridge-rules.ts';
import { isOfBridge, isReservedClientId } from '../session/local-session.ts';
import { discardWill, setWill } from '../session/wills.ts';
import type { Client } from './client.ts';
import { type Continuation, runOf } from './continuation.ts';
import { mustConnectWait } from './store-backpressure.ts';

export const NOT_CONNECT = protocolFault('the first packet is not CONNECT');
/** From CONNECT to its answer. Longer than the waits of a login and of a session that another node has, in a row. */
export const CONNACK_MS_MAX = 20_000;
const PADDED_LENGTH = malformed('the Remaining Length has more bytes than needed');
const ID_DIGITS = 22;
const ID_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Log texts for refusals that the broker itself decides. */
const REFUSALS: Readonly<Record<number, string>> = {
  [ReasonCode.badAuthenticationMethod]: 'enhanced authentication is not supported',
};

const NO_ID = 'no client identifier';
const OTHER_PREFIX = 'the client identifier has none of the prefixes of -clientid-prefixes';
const LOCAL_ID =
  'client identifiers that begin with $bridge/ or $program/ belong to the node itself';
const OTHER_OWNER = 'the client identifier belongs to the session of another user';
const WILL_TOPIC = 'the topic of the will is not valid, or exceeds -topic-levels or -topic-length';
const NO_USERNAME = '-use-username-as-clientid needs a user name';

/** A CONNECT that passed the broker's own checks, while it is being authenticated. */
interface Candidate {
  readonly packet: ConnectPacket;
  readonly clientId: string;
  /** Undefined also for an empty user name, which devices with blank settings send. */
  readonly username: string | undefined;
  /** The broker made the Client Identifier, and CONNACK announces it. */
  readonly assigned: boolean;
}

/**
 * Decodes CONNECT in the form of its version, and prepares the connection for that version.
 * @throws ProtocolError for a packet that is not CONNECT or is malformed
 */
export function readConnect(
  { link }: Client,
  framer: Framer,
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
): ConnectPacket {
  const version = peekConnectVersion(buffer, bodyStart, end);
  link.version = version === 5 ? 5 : version === 3 ? 3 : 4;
  // MQTT 3.1 does not use the flags.
  if (link.version === 3) buffer[start] = FirstByte.connect;
  else if (buffer[start] !== FirstByte.connect) throw new ProtocolError(NOT_CONNECT);
  if (link.version === 5 && framer.hasSeenPadding) throw new ProtocolError(PADDED_LENGTH);
  framer.allowsPadding = link.version !== 5;
  return decodeConnect(buffer, start, bodyStart, end);
}

export function handleConnect(context: BrokerContext, client: Client, packet: ConnectPacket): void {
  context.stats.connectsReceived += 1;
  client.link.version = packet.version;
  client.link.packetBytesMax = packet.maximumPacketBytes;
  client.bridge = packet.bridge;
  client.requestProblemInformation = packet.requestProblemInformation;
  for (const watch of context.connectWatchers) watch(packet, client.link.outbox);
  const refusal = refusalOf(context, client, packet);
  if (refusal !== undefined) {
    refuse(context, client, packet, refusal);
    return;
  }
  const assigned = packet.clientId.length === 0;
  const clientId = assigned ? makeClientId(context) : packet.clientId;
  const username = packet.username || undefined;
  const password = username === undefined ? withoutBlank(packet.password) : packet.password;
  const candidate = { packet, clientId, username, assigned };
  const { remoteAddress, remotePort } = client.info;
  const { listener } = client;
  const { version, will } = packet;
  const request = {
    clientId,
    username,
    password,
    remoteAddress,
    remotePort,
    version,
    listener,
    will,
  };
  const decision = context.authorizer.authenticate(request, (later, now) => {
    if (client.closed) return;
    context.budget.resume(now);
    if (!isFetching(context, client, candidate, later)) {
      decideOnceStored(context, client, candidate, later);
    }
  });
  if (decision === undefined || isFetching(context, client, candidate, decision)) return;
  if (isHeldBack(context, packet)) decideOnceStored(context, client, candidate, decision);
  else decide(context, client, candidate, decision);
}

/** Begins to fetch the session of an accepted client from another node, if one has it. */
function isFetching(
  context: BrokerContext,
  client: Client,
  candidate: Candidate,
  decision: AuthDecision,
): boolean {
  const { roaming } = context.sessions;
  const { packet } = candidate;
  if (roaming === undefined || packet.cleanStart) return false;
  if (decision.reasonCode !== 0 || client.session !== undefined) return false;
  const identity = identityOf(context, candidate, decision);
  if (refusalOfIdentity(context, identity, client, packet) !== undefined) return false;
  return roaming.obtain(identity, (now) => {
    if (client.closed) return;
    context.budget.resume(now);
    decideOnceStored(context, client, candidate, decision);
  });
}

/** Decides as soon as the store has room, then handles what the client has sent meanwhile. */
function decideOnceStored(
  context: BrokerContext,
  client: Client,
  candidate: Candidate,
  decision: AuthDecision,
): void {
  const { store, budget } = context;
  const isAccepted = decision.reasonCode === 0 && client.session === undefined;
  if (isAccepted && isHeldBack(context, candidate.packet)) {
    const continuation: Continuation = {
      run: (now) => {
        budget.resume(now);
        decideOnceStored(context, client, candidate, decision);
      },
    };
    client.continuation = continuation;
    if (store.whenDurable(runOf(continuation)) !== 'durable') return;
  }
  decide(context, client, candidate, decision);
  if (!client.closed) client.readHeld();
}

function isHeldBack(context: BrokerContext, packet: ConnectPacket): boolean {
  const outlivesConnection = context.sessions.grantedExpiry(wantedExpiry(packet)) > 0;
  return mustConnectWait(context, packet, outlivesConnection);
}

function decide(
  context: BrokerContext,
  client: Client,
  candidate: Candidate,
  decision: AuthDecision,
): void {
  const { packet } = candidate;
  const identity = identityOf(context, candidate, decision);
  const { remoteAddress } = client.info;
  if (decision.reasonCode === ReasonCode.badUserNameOrPassword) {
    context.loginGuard.loginFailed(candidate.username, remoteAddress, context.budget.now);
  }
  const refusal =
    decision.reasonCode === 0 ? refusalOfIdentity(context, identity, client, packet) : decision;
  if (refusal !== undefined) {
    refuse(context, client, packet, refusal);
    return;
  }
  context.loginGuard.loginSucceeded(candidate.username, remoteAddress);
  admit(context, client, candidate, identity);
  if (decision.expiresInMs !== undefined) client.expireAfter(decision.expiresInMs);
}

/** Neither the authentication nor the store has come to an end: a client must not wait in silence. */
export function refuseLate(context: BrokerContext, client: Client, packet: ConnectPacket): void {
  const reason = `no decision within ${CONNACK_MS_MAX / 1000} s`;
  refuse(context, client, packet, { reasonCode: ReasonCode.serverBusy, reason });
}

/** Logs a warning, so that guessed passwords show at every log level but the lowest. */
function refuse(
  context: BrokerContext,
  client: Client,
  { clientId, username }: ConnectPacket,
  { reasonCode, reason = REFUSALS[reasonCode] }: AuthDecision,
): void {
  const code = formatReasonCode(reasonCode);
  context.log.warn('connection refused', {
    client: client.session?.clientId ?? clientId,
    user: username,
    ...originOf(client.info),
    code,
    reason,
  });
  if (client.session === undefined) client.refuse(reasonCode);
  else client.disconnect(reasonCode, 'access was withdrawn', true);
}

function withoutBlank(password: Buffer | undefined): Buffer | undefined {
  return password?.length === 0 ? undefined : password;
}

function identityOf(
  { options }: BrokerContext,
  candidate: Candidate,
  decision: AuthDecision,
): Identity {
  const { username = candidate.username, grant } = decision;
  const clientId = options.useUsernameAsClientId ? (username ?? '') : candidate.clientId;
  return { clientId, username, grant };
}

/** For an authenticated client; other clients may have connected during the authentication. */
function refusalOfIdentity(
  context: BrokerContext,
  identity: Identity,
  client: Client,
  packet: ConnectPacket,
): AuthDecision | undefined {
  const { clientId, username } = identity;
  const { useUsernameAsClientId, clientIdOwner } = context.options;
  if (useUsernameAsClientId && username === undefined) {
    return { reasonCode: ReasonCode.notAuthorized, reason: NO_USERNAME };
  }
  if (isReservedClientId(clientId)) {
    return { reasonCode: ReasonCode.clientIdentifierNotValid, reason: LOCAL_ID };
  }
  const owner = context.sessions.identityOf(clientId);
  if (clientIdOwner === 'user' && owner !== undefined && owner.username !== username) {
    return { reasonCode: ReasonCode.clientIdentifierNotValid, reason: OTHER_OWNER };
  }
  return (
    refusalOfBounds(context, identity, client, packet) ??
    refusalOfBan(context, (guard, now) =>
      guard.connecting(identity, client.info.remoteAddress, now),
    )
  );
}

function refusalOfBan(
  { loginGuard, budget }: BrokerContext,
  ask: (guard: LoginGuard, now: number) => Ban | undefined,
): AuthDecision | undefined {
  const ban = ask(loginGuard, budget.now);
  if (ban === undefined) return undefined;
  const secondsLeft = Math.round((ban.until - budget.now) / 1000);
  return { reasonCode: ReasonCode.banned, reason: `banned: ${ban.reason}, ${secondsLeft} s left` };
}

/** For a client that would exceed a bound of the node. */
function refusalOfBounds(
  { stats, options, sessions, bounds, budget }: BrokerContext,
  identity: Identity,
  client: Client,
  packet: ConnectPacket,
): AuthDecision | undefined {
  const { remoteAddress } = client.info;
  const bound =
    stats.clientsConnected >= options.connectionsMax
      ? '-max-connections'
      : sessions.boundFor(identity, remoteAddress, packet.will);
  if (bound === undefined) return undefined;
  // Each refusal has its own line, with the client: only the end is left to the log of the bounds.
  bounds.admit('connect', bound, budget.now);
  return { reasonCode: ReasonCode.quotaExceeded, reason: `${bound} is reached` };
}

/** The refusal of a CONNECT that no client may send, or undefined. */
function refusalOf(
  context: BrokerContext,
  client: Client,
  packet: ConnectPacket,
): AuthDecision | undefined {
  const { options } = context;
  const { username } = packet;
  const clientId = options.useUsernameAsClientId ? (username ?? '') : packet.clientId;
  const ban = refusalOfBan(context, (guard, now) =>
    guard.refusalOf(clientId, username, client.info.remoteAddress, now),
  );
  if (ban !== undefined) return ban;
  if (packet.authenticationMethod !== undefined) {
    return { reasonCode: ReasonCode.badAuthenticationMethod };
  }
  const isIdUsed = !options.useUsernameAsClientId;
  if (isIdUsed && !isIdValid(options, packet)) {
    const reason = packet.clientId.length === 0 ? NO_ID : OTHER_PREFIX;
    return { reasonCode: ReasonCode.clientIdentifierNotValid, reason };
  }
  const reasonCode = refusalOfWill(options, client.listener, packet);
  if (reasonCode !== 0) return { reasonCode };
  if (packet.will !== undefined && !context.topics.allows(packet.will.topic)) {
    return { reasonCode: ReasonCode.topicNameInvalid, reason: WILL_TOPIC };
  }
  // Before the authentication, which would be for nothing. A token or a certificate may name the user.
  const isNamedLater =
    client.listener.certificateName !== undefined ||
    (username === undefined && packet.password !== undefined);
  const isIdentityKnown = isIdUsed && !isNamedLater;
  return isIdentityKnown ? refusalOfBounds(context, packet, client, packet) : undefined;
}

function isIdValid(
  options: BrokerOptions,
  { clientId, version, cleanStart }: ConnectPacket,
): boolean {
  const { clientIdPrefixes } = options;
  if (clientIdPrefixes !== undefined) {
    return clientIdPrefixes.some((prefix) => clientId.startsWith(prefix));
  }
  if (clientId.length > 0) return true;
  // [MQTT3-3.1.3-8] without a Client Identifier there is no session to resume.
  return options.emptyClientIdAllowed && (version === 5 || (version === 4 && cleanStart));
}

function refusalOfWill(
  options: BrokerOptions,
  { maximumQos = options.maximumQos }: ListenerRules,
  { will }: ConnectPacket,
): number {
  if (will === undefined) return 0;
  if (will.qos > maximumQos) return ReasonCode.qosNotSupported;
  if (will.retain && !options.retainAvailable) return ReasonCode.retainNotSupported;
  if (will.payload.length > options.payloadBytesMax) return ReasonCode.packetTooLarge;
  if (will.payloadIsText && !isWellFormed(will.payload, 0, will.payload.length)) {
    return ReasonCode.payloadFormatInvalid;
  }
  return 0;
}

function admit(
  context: BrokerContext,
  client: Client,
  { packet, assigned }: Candidate,
  identity: Identity,
): void {
  const { options, sessions } = context;
  const { link } = client;
  const wanted = wantedExpiry(packet);
  const expirySeconds = sessions.grantedExpiry(wanted);
  const keepAliveSeconds = grantedKeepAlive(packet, options);
  const properties =
    packet.version === 5
      ? connackProperties(options, {
          clientId: assigned ? identity.clientId : undefined,
          packetBytesMax: client.listener.packetBytesMax ?? options.packetBytesMax,
          maximumQos: client.listener.maximumQos ?? options.maximumQos,
          expirySeconds: expirySeconds === wanted ? undefined : expirySeconds,
          keepAliveSeconds:
            keepAliveSeconds === packet.keepAliveSeconds ? undefined : keepAliveSeconds,
        })
      : {};
  const connack = (present: boolean): Buffer =>
    encodeConnack(packet.version, ReasonCode.success, present, properties);
  // [MQTT5-3.1.2-24] no packet may exceed the client's maximum, not even CONNACK.
  if (
    link.packetBytesMax < Number.POSITIVE_INFINITY &&
    connack(false).length > link.packetBytesMax
  ) {
    client.refuse(ReasonCode.packetTooLarge);
    return;
  }
  const { session, present } = sessions.open(
    client,
    identity,
    client.info.remoteAddress,
    packet.cleanStart,
  );
  session.expirySeconds = expirySeconds;
  // Earlier versions have no properties for the hops.
  const hasHops = packet.bridge && packet.version === 5;
  if (packet.bridge && !hasHops) warnOfCircle(context, session.identity);
  session.outbound.bridge = hasHops ? FOREIGN_BRIDGE : undefined;
  if (hasHops) link.useHops(context.hops);
  discardWill(context, session);
  if (packet.will !== undefined) setWill(context, session, packet.will);
  link.sendWindow = Math.min(packet.receiveMaximum, options.inflightMax);
  client.connected(session, {
    keepAliveSeconds,
    topicAliasMaximum: Math.min(packet.topicAliasMaximum, options.topicAliasMaximum),
  });
  client.sendControl(connack(present));
  client.pump();
}

/** Seconds. MQTT 3 has Clean Session: the session ends with the connection, or never expires. */
function wantedExpiry(packet: ConnectPacket): number {
  if (packet.version !== 5) return packet.cleanStart ? 0 : Number.POSITIVE_INFINITY;
  const seconds = packet.sessionExpirySeconds ?? 0;
  return seconds === SESSION_EXPIRY_NEVER ? Number.POSITIVE_INFINITY : seconds;
}

/** A bound on silence. CONNACK announces it in MQTT 5; earlier versions have no way to, and are bound as well. */
function grantedKeepAlive(packet: ConnectPacket, options: BrokerOptions): number {
  const maximum = options.keepAliveSecondsMax;
  const wanted = packet.keepAliveSeconds;
  if (maximum === 0) return wanted;
  return wanted === 0 || wanted > maximum ? maximum : wanted;
}

/** What CONNACK announces because it differs from the client's request; undefined: no difference. */
interface Changed {
  readonly clientId: string | undefined;
  /** Of the listener, or of the node. */
  readonly packetBytesMax: number;
  readonly maximumQos: QoS;
  readonly expirySeconds: number | undefined;
  readonly keepAliveSeconds: number | undefined;
}

function connackProperties(options: BrokerOptions, changed: Changed): ConnackProperties {
  const properties: ConnackProperties = {
    maximumPacketSize: changed.packetBytesMax,
    receiveMaximum: options.receiveMaximum,
    topicAliasMaximum: options.topicAliasMaximum,
  };
  if (changed.maximumQos < 2) properties.maximumQoS = changed.maximumQos;
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

function makeClientId({ random }: BrokerContext): string {
  let id = 'auto-';
  for (let i = 0; i < ID_DIGITS; i++) {
    id += ID_ALPHABET[Math.floor(random() * ID_ALPHABET.length)];
  }
  return id;
}

/** Its messages do not say which brokers they have passed. */
function warnOfCircle({ sessions, limiter, log, budget }: BrokerContext, identity: Identity): void {
  if (![...sessions.local].some(isOfBridge)) return;
  const count = limiter.admit('plain bridge', budget.now);
  if (count === 0) return;
  const event =
    'a bridge without MQTT 5 is connected: if a bridge of this node leads to its broker too, messages go round in a circle';
  log.warn(event, { ...identityFields(identity), count });
}
