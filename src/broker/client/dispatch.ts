// Decodes each packet of a connected client except PUBLISH and hands it to its handler. PUBLISH goes
// a shorter way, straight from client.ts to publish.ts.
// Throws ProtocolError, nothing else; the client turns it into the end of the connection.

import {
  checkAuth,
  decodeDisconnect,
  decodeSubscribe,
  decodeUnsubscribe,
} from '../../mqtt/control-decoder.ts';
import { FirstByte, isServerPacket } from '../../mqtt/packet-type.ts';
import { malformed, ProtocolError, protocolFault } from '../../mqtt/protocol-fault.ts';
import { formatReasonCode, ReasonCode } from '../../mqtt/reason-code.ts';
import type { BrokerContext } from '../context.ts';
import { handleAck } from './acknowledge.ts';
import type { Client } from './client.ts';
import { handleSubscribe, handleUnsubscribe } from './subscribe.ts';

const SECOND_CONNECT = protocolFault('a second CONNECT');
const UNKNOWN_PACKET = malformed('a packet type or fixed header flags that MQTT does not define');
const SERVER_PACKET = protocolFault('a packet type that only a server sends');
const PINGREQ_BODY = malformed('PINGREQ with a body');
const LATE_EXPIRY = protocolFault('Session Expiry Interval set where it was zero');
const AUTH_WITHOUT_METHOD = protocolFault('AUTH without an authentication method');

export function dispatchControl(
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
      client.pumpFeeds();
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
  client.end(!isNormal, reason);
}
