// PUBACK, PUBREC, PUBREL and PUBCOMP of a client (MQTT 5.0 3.4 to 3.7, 4.3): their effect on the
// session, and the answer.

import { AckView, decodeAck } from '../../mqtt/ack-codec.ts';
import { FirstByte } from '../../mqtt/packet-type.ts';
import { ProtocolError, protocolFault } from '../../mqtt/protocol-fault.ts';
import { isFailure, ReasonCode } from '../../mqtt/reason-code.ts';
import type { Session } from '../session/session.ts';
import type { Client } from './client.ts';

const WRONG_ACK = protocolFault('an acknowledgement that is not the next of its message');
const ack = new AckView();

/** @param header PUBACK's, PUBREC's, PUBREL's or PUBCOMP's first byte */
export function handleAck(
  client: Client,
  header: number,
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
): void {
  const fault = decodeAck(ack, buffer, start, bodyStart, end, client.version);
  if (fault !== undefined) throw new ProtocolError(fault);
  const session = client.session!;
  const { outbound } = session;
  const { packetId, reasonCode } = ack;
  switch (header) {
    case FirstByte.puback:
      if (!outbound.handlePuback(packetId)) handleUnknown(session, packetId);
      break;
    case FirstByte.pubrec:
      if (!outbound.handlePubrec(packetId, reasonCode)) {
        handleUnknown(session, packetId);
        if (!isFailure(reasonCode)) {
          client.link.sendAck(FirstByte.pubrel, packetId, ReasonCode.packetIdentifierNotFound);
        }
      }
      break;
    case FirstByte.pubrel: {
      const known = session.release(packetId);
      const reason = known ? ReasonCode.success : ReasonCode.packetIdentifierNotFound;
      client.received.acknowledge(FirstByte.pubcomp, packetId, reason);
      break;
    }
    default:
      if (!outbound.handlePubcomp(packetId)) handleUnknown(session, packetId);
  }
}

/** Ignores an unknown Packet Identifier; one in flight with another exchange is a protocol error. */
function handleUnknown({ outbound }: Session, packetId: number): void {
  if (outbound.isInflight(packetId)) throw new ProtocolError(WRONG_ACK);
}
