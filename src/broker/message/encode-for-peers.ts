// Brings a message of the broker's own (a will) into the form in which a client's PUBLISH goes to
// the other nodes.

import { Framer } from '../../mqtt/framer.ts';
import { decodePublish } from '../../mqtt/publish-decoder.ts';
import { PublishView } from '../../mqtt/publish-view.ts';
import type { Message } from './message.ts';
import { encodeMessage } from './publication.ts';

/** The Packet Identifier has no meaning between nodes; it only may not be 0. */
const ANY_PACKET_ID = 1;

/** @returns a view of the message as an MQTT 5 PUBLISH; a new one, the caller's */
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
