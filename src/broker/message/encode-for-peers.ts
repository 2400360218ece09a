// Encodes a message of the broker itself (a will) as the MQTT 5 PUBLISH that travels between nodes.

import { Framer } from '../../mqtt/framer.ts';
import { decodePublish } from '../../mqtt/publish-decoder.ts';
import { PublishView } from '../../mqtt/publish-view.ts';
import type { Message } from './message.ts';
import { encodeMessage } from './publication.ts';

/** Without meaning between nodes, but the encoding needs one other than 0. */
const ANY_PACKET_ID = 1;

/** @returns a new view, with a buffer of its own */
export function encodeMessageAsView(message: Message, now: number): PublishView {
  const { qos, retain } = message;
  const packetId = qos === 0 ? 0 : ANY_PACKET_ID;
  const header = {
    version: 5,
    qos,
    dup: false,
    retain,
    packetId,
    identifiers: [],
    topicAlias: 0,
    withTopic: true,
  } as const;
  const encoded = encodeMessage(message, header, now);
  const packet = encoded.buffer.subarray(encoded.start, encoded.end);
  const framer = new Framer(packet.length);
  framer.push(packet);
  framer.next();
  const view = new PublishView();
  decodePublish(view, packet, 0, framer.bodyStart, packet.length, 5);
  return view;
}
