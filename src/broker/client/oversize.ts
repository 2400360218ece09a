// Log fields about a packet that the framer refused as too large: its size, the limit, the option
// behind it and, for a PUBLISH, the topic as far as it has arrived.

import type { Framer } from '../../mqtt/framer.ts';
import { PacketType, packetTypeOf } from '../../mqtt/packet-type.ts';
import type { LogFields } from '../../shared/logger.ts';

export function oversizeFields({
  buffer,
  start,
  bodyStart,
  end,
  packetBytesMax,
}: Framer): LogFields {
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
