// Decoder of PUBLISH (MQTT 5.0 3.3, MQTT 3.1.1 3.3), on the hot path. Fills a PublishView with
// offsets; copies and allocates nothing. Checks the bounds of topic and properties; the caller
// checks their content.

import { PublishFlag, qosOf } from './packet-type.ts';
import { malformed, type ProtocolFault, protocolFault } from './protocol-fault.ts';
import type { ProtocolVersion, PublishView, QoS } from './publish-view.ts';
import { decodeVarint, varintBytes } from './varint.ts';

const QOS_3 = malformed('QoS 3');
const DUP_QOS_0 = protocolFault('DUP with QoS 0');
const TRUNCATED = malformed('the PUBLISH is shorter than its parts');
const NO_PACKET_ID = protocolFault('Packet Identifier 0');

/**
 * In MQTT 3.1 the DUP flag means nothing with QoS 0; it is cleared in `buffer`, since the packet may
 * go on to subscribers as it is.
 * @param start offset of the fixed header
 * @param bodyStart offset of the variable header
 * @param end offset behind the packet
 * @returns the client's fault, or undefined; then `view` is filled
 */
export function decodePublish(
  view: PublishView,
  buffer: Buffer,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): ProtocolFault | undefined {
  const first = buffer[start]!;
  const qos = qosOf(first);
  if (qos === 3) return QOS_3;
  let dup = (first & PublishFlag.dup) !== 0;
  if (dup && qos === 0) {
    if (version !== 3) return DUP_QOS_0;
    dup = false;
    buffer[start] = first & ~PublishFlag.dup;
  }
  let position = bodyStart + 2;
  if (position > end) return TRUNCATED;
  view.topicStart = position;
  position += (buffer[bodyStart]! << 8) | buffer[bodyStart + 1]!;
  view.topicEnd = position;
  if (qos > 0) {
    position += 2;
    if (position > end) return TRUNCATED;
    view.packetId = (buffer[position - 2]! << 8) | buffer[position - 1]!;
    if (view.packetId === 0) return NO_PACKET_ID;
  } else {
    view.packetId = 0;
  }
  view.propertiesStart = view.propertiesEnd = position;
  if (version === 5) {
    const length = decodeVarint(buffer, position, end);
    if (length < 0) return TRUNCATED;
    view.propertiesStart = position + varintBytes(length);
    position = view.propertiesEnd = view.propertiesStart + length;
  }
  if (position > end) return TRUNCATED;
  view.buffer = buffer;
  view.start = start;
  view.end = end;
  view.version = version;
  view.qos = qos as QoS;
  view.dup = dup;
  view.retain = (first & PublishFlag.retain) !== 0;
  view.payloadStart = position;
  return undefined;
}
