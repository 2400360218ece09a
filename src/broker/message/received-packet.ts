// The PUBLISH packet in which a message of QoS 1 or 2 arrived. Its first subscriber gets the same bytes, in the
// publisher's chunk, except for flags and Packet Identifier; so its payload is copied neither for the message nor
// for the packet.
// Invariant: the packet changes at most once, before it is sent; its payload never does.

import { publishFirstByte } from '../../mqtt/packet-type.ts';
import type { PublishView, QoS } from '../../mqtt/publish-view.ts';

export class ReceivedPacket {
  /** Contains the packet, bytes `[start, end)`. */
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly isMqtt5: boolean;
  /** A subscriber has got it: its bytes must not change any more. */
  isSent = false;
  /** Its place in BorrowedPayloads; -1 where it has none. */
  slot = -1;
  readonly #packetIdAt: number;
  readonly #payloadStart: number;

  /** @param view a packet of QoS 1 or 2 in a buffer that nothing else writes to */
  constructor(view: PublishView) {
    this.buffer = view.buffer;
    this.start = view.start;
    this.end = view.end;
    this.isMqtt5 = view.version === 5;
    this.#packetIdAt = view.topicEnd;
    this.#payloadStart = view.payloadStart;
  }

  get payloadBytes(): number {
    return this.end - this.#payloadStart;
  }

  /** A view of the packet. */
  payload(): Buffer {
    return this.buffer.subarray(this.#payloadStart, this.end);
  }

  /** Makes it the packet for one client. Once only. */
  address(qos: QoS, dup: boolean, retain: boolean, packetId: number): void {
    const { buffer } = this;
    this.isSent = true;
    buffer[this.start] = publishFirstByte(dup, qos, retain);
    buffer[this.#packetIdAt] = packetId >> 8;
    buffer[this.#packetIdAt + 1] = packetId & 0xff;
  }
}
