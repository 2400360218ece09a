// A PUBLISH packet decoded in place: offsets into the receive buffer instead of copies. In this form
// a PUBLISH travels the hot path from client to broker to subscribers and peers.
// Invariant: every offset lies within [start, end) of `buffer`.

export type ProtocolVersion = 3 | 4 | 5;
export type QoS = 0 | 1 | 2;

const EMPTY = Buffer.alloc(0);

/** One instance is reused for many packets: code that keeps a part of it copies that part. */
export class PublishView {
  buffer: Buffer = EMPTY;
  /** First byte of the fixed header. */
  start = 0;
  /** Just behind the payload. */
  end = 0;
  version: ProtocolVersion = 4;
  qos: QoS = 0;
  retain = false;
  dup = false;
  /** 0 with QoS 0. */
  packetId = 0;
  /** Bytes of the Topic Name, without its length field; empty where a Topic Alias replaces it. */
  topicStart = 0;
  topicEnd = 0;
  /** Bytes of the properties, without their length field; empty before MQTT 5. */
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
}
