// Hands each packet of a connected client to its handler. PUBLISH goes a short way to publish.ts, which
// decodes it; the others are decoded here. Where a program decides on packets, they wait for its decision.
// Throws ProtocolError, nothing else; the client turns it into the end of the connection.

import {
  checkAuth,
  decodeDisconnect,
  decodeSubscribe,
  decodeUnsubscribe,
} from '../../mqtt/control-decoder.ts';
import { FirstByte, isServerPacket, PacketType, packetTypeOf } from '../../mqtt/packet-type.ts';
import { malformed, ProtocolError, protocolFault } from '../../mqtt/protocol-fault.ts';
import { formatReasonCode, ReasonCode } from '../../mqtt/reason-code.ts';
import type { BrokerContext } from '../context.ts';
import { handleAck } from './acknowledge.ts';
import type { Client, PacketHandler } from './client.ts';
import { PacketReview } from './packet-review.ts';
import { PublishHandler } from './publish.ts';
import { handleSubscribe, handleUnsubscribe } from './subscribe.ts';

const SECOND_CONNECT = protocolFault('a second CONNECT');
const UNKNOWN_PACKET = malformed('a packet type or fixed header flags that MQTT does not define');
const SERVER_PACKET = protocolFault('a packet type that only a server sends');
const PINGREQ_BODY = malformed('PINGREQ with a body');
const LATE_EXPIRY = protocolFault('Session Expiry Interval set where it was zero');
const AUTH_WITHOUT_METHOD = protocolFault('AUTH without an authentication method');

/** One for all clients. */
export class PacketDispatcher implements PacketHandler {
  readonly publishHandler: PublishHandler;
  readonly #context: BrokerContext;
  /** Undefined where no packet waits for a decision. */
  readonly #review: PacketReview | undefined;

  constructor(context: BrokerContext) {
    const { authorizer, topics } = context;
    this.#context = context;
    this.publishHandler = new PublishHandler(context);
    this.#review = authorizer.judge && new PacketReview(authorizer.judge, topics);
  }

  dispatch(client: Client, buffer: Buffer, start: number, bodyStart: number, end: number): void {
    if (this.#review === undefined) this.#handle(client, buffer, start, bodyStart, end);
    else this.#handleOnceDecided(this.#review, client, buffer, start, bodyStart, end);
  }

  /** Apart from dispatch(), which must not allocate a closure's scope for every packet. */
  #handleOnceDecided(
    review: PacketReview,
    client: Client,
    buffer: Buffer,
    start: number,
    bodyStart: number,
    end: number,
  ): void {
    const handle = (): void => this.#handle(client, buffer, start, bodyStart, end);
    const decided = (now: number): void => client.resume(handle, now);
    if (review.isDecided(client, buffer, start, bodyStart, end, decided)) handle();
    else client.suspend();
  }

  #handle(client: Client, buffer: Buffer, start: number, bodyStart: number, end: number): void {
    if (packetTypeOf(buffer[start]!) === PacketType.publish) {
      const fault = this.publishHandler.handlePublish(client, buffer, start, bodyStart, end);
      if (fault !== undefined) throw new ProtocolError(fault);
    } else {
      dispatchControl(this.#context, client, buffer, start, bodyStart, end);
    }
  }
}

function dispatchControl(
  context: BrokerContext,
  client: Client,
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
): void {
  const { version } = client;
  const first = buffer[start]!;
  switch (first) {
    case FirstByte.puback:
    case FirstByte.pubrec:
    case FirstByte.pubrel:
    case FirstByte.pubcomp:
      handleAck(client, first, buffer, start, bodyStart, end);
      // It may have made room for further retained messages.
      if (!client.feeds.isEmpty) client.pump();
      break;
    case FirstByte.pingreq:
      if (end !== bodyStart) throw new ProtocolError(PINGREQ_BODY);
      client.link.sendPingresp();
      break;
    case FirstByte.subscribe:
      handleSubscribe(context, client, decodeSubscribe(buffer, start, bodyStart, end, version));
      break;
    case FirstByte.unsubscribe:
      handleUnsubscribe(context, client, decodeUnsubscribe(buffer, start, bodyStart, end, version));
      break;
    case FirstByte.disconnect:
      handleDisconnect(context, client, buffer, start, bodyStart, end);
      break;
    case FirstByte.auth:
      if (version !== 5) throw new ProtocolError(UNKNOWN_PACKET);
      checkAuth(buffer, bodyStart, end, version);
      throw new ProtocolError(AUTH_WITHOUT_METHOD);
    case FirstByte.connect:
      throw new ProtocolError(SECOND_CONNECT);
    default:
      throw new ProtocolError(isServerPacket(first) ? SERVER_PACKET : UNKNOWN_PACKET);
  }
}

function handleDisconnect(
  { sessions }: BrokerContext,
  client: Client,
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
): void {
  const packet = decodeDisconnect(buffer, start, bodyStart, end, client.version);
  const session = client.session!;
  const expiry = packet.sessionExpirySeconds;
  if (expiry !== undefined) {
    // [MQTT5-3.1.2.11.2] a session without expiry must not get one now.
    if (expiry > 0 && session.expirySeconds === 0) throw new ProtocolError(LATE_EXPIRY);
    session.expirySeconds = sessions.grantedExpiry(expiry);
  }
  // Only a normal DISCONNECT discards the will [MQTT5-3.14.4-3].
  const isNormal = packet.reasonCode === ReasonCode.normalDisconnection;
  const reason = isNormal ? 'DISCONNECT' : `DISCONNECT ${formatReasonCode(packet.reasonCode)}`;
  client.end(!isNormal, reason, true);
}
