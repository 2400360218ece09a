// The bound on the size of packets: which one holds for a client, and the log fields of a packet that the framer
// refused for it: size, limit, option and, for a PUBLISH, the topic as far as it has arrived.

import type { Framer } from '../../mqtt/framer.ts';
import { PacketType, packetTypeOf } from '../../mqtt/packet-type.ts';
import type { ProtocolFault } from '../../mqtt/protocol-fault.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import type { LogFields } from '../../shared/logger.ts';
import type { BrokerContext } from '../context.ts';
import type { ListenerRules } from '../ports.ts';

export const ANSWER_TOO_LARGE: ProtocolFault = {
  reasonCode: ReasonCode.packetTooLarge,
  text: 'the answer is larger than the Maximum Packet Size of the client',
};

export function oversizeFields(framer: Framer): LogFields {
  framer.joinRest();
  const { buffer, start, bodyStart, end, packetBytesMax } = framer;
  const bytes = end - start;
  if (bytes <= packetBytesMax) return {};
  const isConnect = packetTypeOf(buffer[start]!) === PacketType.connect;
  return {
    bytes,
    max: packetBytesMax,
    // The bound on CONNECT is no option.
    hint: isConnect ? undefined : '-max-packet-size',
    topic: topicOf(buffer, start, bodyStart),
  };
}

function topicOf(buffer: Buffer, start: number, bodyStart: number): string | undefined {
  const topicStart = bodyStart + 2;
  if (packetTypeOf(buffer[start]!) !== PacketType.publish || topicStart > buffer.length) {
    return undefined;
  }
  const topicEnd = topicStart + buffer.readUInt16BE(bodyStart);
  return topicEnd <= buffer.length ? buffer.toString('utf8', topicStart, topicEnd) : undefined;
}

/** Largest packet that a client of this listener may send once it is connected, bytes. */
export function packetBytesTaken({ options }: BrokerContext, listener: ListenerRules): number {
  return listener.packetBytesMax ?? options.packetBytesMax;
}
