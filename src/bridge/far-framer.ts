// Cuts the bytes of a far side into packets, and keeps within the largest packet that the bridge takes. With
// MQTT 5 the far side knows this bound [MQTT5-3.1.2-24], and a larger packet is its fault. Before that it
// can't know: the head of a PUBLISH that is too large says what to acknowledge, or it would come for ever,
// and the rest is dropped as it arrives.
// Invariant: of a packet that is too large only the head is held.

import { Framer } from '../mqtt/framer.ts';
import { PacketType, packetTypeOf } from '../mqtt/packet-type.ts';
import { malformed, type ProtocolFault } from '../mqtt/protocol-fault.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import type { BridgeVersion } from './options.ts';

const BAD_HEAD = malformed('the head of the PUBLISH is not valid');
const EMPTY = Buffer.alloc(0);

/** A PUBLISH before MQTT 5 that is too large. */
export interface SkippedPublish {
  readonly qos: QoS;
  /** 0 for QoS 0. */
  readonly packetId: number;
  readonly topic: string;
}

export class FarFramer {
  readonly #framer: Framer;
  readonly #skips: boolean;
  /** Bytes that are still to arrive of a packet that is skipped. */
  #skipBytes = 0;
  /** The beginning of a packet that is too large, until its head is whole. */
  #head: Buffer = EMPTY;

  constructor(version: BridgeVersion, packetBytesMax: number) {
    this.#framer = new Framer(packetBytesMax);
    this.#skips = version !== 5;
  }

  /** The packet found last: bytes `[start, end)` of `buffer`, its variable header at `bodyStart`. */
  get buffer(): Buffer {
    return this.#framer.buffer;
  }

  get start(): number {
    return this.#framer.start;
  }

  get bodyStart(): number {
    return this.#framer.bodyStart;
  }

  get end(): number {
    return this.#framer.end;
  }

  /** True while a packet has begun and not ended. */
  get isHolding(): boolean {
    return this.#framer.isHolding || this.#skipBytes > 0 || this.#head.length > 0;
  }

  /** Packets found later are views into the bytes: the caller must not reuse them. */
  push(chunk: Buffer): void {
    const skipped = Math.min(this.#skipBytes, chunk.length);
    this.#skipBytes -= skipped;
    const rest = skipped === 0 ? chunk : chunk.subarray(skipped);
    this.#framer.push(this.#head.length === 0 ? rest : Buffer.concat([this.#head, rest]));
    this.#head = EMPTY;
  }

  /** @returns true if a packet was found, false if more bytes are needed, what is skipped, or a fault */
  next(): boolean | ProtocolFault | SkippedPublish {
    const found = this.#framer.next();
    const isTooLarge = typeof found === 'object' && found.reasonCode === ReasonCode.packetTooLarge;
    if (!isTooLarge || !this.#skips) return found;
    this.#framer.joinRest();
    return this.#skip(found);
  }

  #skip(fault: ProtocolFault): false | ProtocolFault | SkippedPublish {
    const { buffer, start, bodyStart, end } = this.#framer;
    if (packetTypeOf(buffer[start]!) !== PacketType.publish) return fault;
    const qos = ((buffer[start]! >> 1) & 3) as QoS;
    if (qos > 2) return BAD_HEAD;
    const topicStart = bodyStart + 2;
    const topicEnd =
      topicStart <= buffer.length ? topicStart + buffer.readUInt16BE(bodyStart) : topicStart;
    const headEnd = topicEnd + (qos === 0 ? 0 : 2);
    if (headEnd > end) return BAD_HEAD;
    if (headEnd > buffer.length || topicStart > buffer.length) {
      this.#head = Buffer.from(buffer.subarray(start));
      this.#framer.push(EMPTY);
      return false;
    }
    const packetId = qos === 0 ? 0 : buffer.readUInt16BE(topicEnd);
    if (qos > 0 && packetId === 0) return BAD_HEAD;
    this.#skipBytes = Math.max(0, end - buffer.length);
    return { qos, packetId, topic: buffer.toString('utf8', topicStart, topicEnd) };
  }
}
