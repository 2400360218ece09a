// From this node to the far side: takes the packets of the bridge's own session, gives each PUBLISH its
// topic, alias and form of the far side, and passes acknowledgements on unchanged. So a message leaves
// the session's queue exactly when the far side has acknowledged it.
// Invariant: every QoS 1 and 2 message of the session is sent, or answered here with its reason.

import { FirstByte, PacketType, packetTypeOf, publishFirstByte } from '../mqtt/packet-type.ts';
import { decodePublish } from '../mqtt/publish-decoder.ts';
import { encodePublishHead, type PublishFields, publishBytes } from '../mqtt/publish-encoder.ts';
import { PublishView, type QoS } from '../mqtt/publish-view.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import { decodeVarint, varintBytes } from '../mqtt/varint.ts';
import { copyBytes } from '../shared/copy-bytes.ts';
import { PacketSlab } from '../shared/packet-slab.ts';
import type { BridgeCounters } from './counters.ts';
import { type DropLog, NOT_MAPPED } from './drop-log.ts';
import type { BridgeVersion } from './options.ts';
import type { OwnMessages } from './own-messages.ts';
import type { FarOutbox } from './ports.ts';
import { describeCode } from './reason-text.ts';
import type { TopicMapper } from './topic-mapper.ts';

const NO_BYTES = Buffer.alloc(0);
/** Packet type and flags, length, Packet Identifier: all that MQTT 3.1.1 has. */
const PLAIN_ACK_BYTES = 4;

/** What the far side takes, of its CONNACK. */
export interface FarLimits {
  readonly version: BridgeVersion;
  readonly maximumQos: QoS;
  readonly retainAvailable: boolean;
  readonly maximumPacketBytes: number;
  readonly topicAliasMaximum: number;
}

export interface OutgoingParts {
  readonly mapper: TopicMapper;
  readonly counters: BridgeCounters;
  readonly far: FarOutbox;
  readonly limits: FarLimits;
  /** Set where the far side sends our own messages back. */
  readonly ownMessages: OwnMessages | undefined;
  readonly now: () => number;
  /** Answers a packet of the session in its name, after the session is done with its present work. */
  readonly answer: (packet: Buffer) => void;
  readonly drops: DropLog;
}

/** One for each connection to the far side. */
export class Outgoing {
  readonly #parts: OutgoingParts;
  readonly #view = new PublishView();
  readonly #slab = new PacketSlab();
  readonly #fields: PublishFields;
  #lastAlias = 0;
  /** Packet Identifiers of QoS 2 messages that the far side gets with QoS 1. */
  readonly #lowered = new Set<number>();

  constructor(parts: OutgoingParts) {
    this.#parts = parts;
    this.#fields = {
      version: parts.limits.version,
      firstByte: FirstByte.publish,
      packetId: 0,
      topic: NO_BYTES,
      properties: NO_BYTES,
      expirySeconds: -1,
      subscriptionIdentifiers: [],
      topicAlias: 0,
      payloadBytes: 0,
    };
  }

  /** True if the PUBACK of this identifier ends a QoS 2 exchange of the session. */
  takeLowered(packetId: number): boolean {
    return this.#lowered.delete(packetId);
  }

  /** Sends whole MQTT 5 packets of the session. */
  send(buffer: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const length = decodeVarint(buffer, at + 1, end);
      const bodyStart = at + 1 + varintBytes(length);
      const next = bodyStart + length;
      if (packetTypeOf(buffer[at]!) === PacketType.publish) {
        this.#publish(buffer, at, bodyStart, next);
      } else {
        this.#acknowledge(buffer, at, bodyStart, next);
      }
      at = next;
    }
  }

  #publish(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const { mapper, counters, far, limits, ownMessages, answer } = this.#parts;
    const view = this.#view;
    decodePublish(view, buffer, start, bodyStart, end, 5);
    const topic = mapper.map(buffer, view.topicStart, view.topicEnd);
    if (topic === undefined) {
      this.#refuse(view, NOT_MAPPED);
      return;
    }
    const isModern = limits.version === 5;
    const qos = Math.min(view.qos, limits.maximumQos) as QoS;
    const fields = this.#fields;
    fields.firstByte = publishFirstByte(view.dup, qos, view.retain && limits.retainAvailable);
    fields.packetId = view.packetId;
    fields.properties = isModern
      ? buffer.subarray(view.propertiesStart, view.propertiesEnd)
      : NO_BYTES;
    fields.payloadBytes = view.end - view.payloadStart;
    fields.topic = topic.bytes;
    fields.topicAlias = topic.alias;
    if (topic.alias > 0) fields.topic = NO_BYTES;
    else if (this.#lastAlias < limits.topicAliasMaximum) fields.topicAlias = this.#lastAlias + 1;
    const bytes = publishBytes(fields);
    if (bytes > limits.maximumPacketBytes) {
      this.#refuse(view, 'larger than the far side takes');
      return;
    }
    if (fields.topicAlias > this.#lastAlias) topic.alias = this.#lastAlias = fields.topicAlias;
    if (qos === 1 && view.qos === 2) this.#lowered.add(view.packetId);
    if (qos === 0 && view.qos > 0) {
      answer(ackOf(view.qos === 1 ? FirstByte.puback : FirstByte.pubrec, view.packetId, false));
    }
    ownMessages?.sent(topic.bytes, buffer, view.payloadStart, view.end, this.#parts.now());
    const at = this.#slab.reserve(bytes);
    const packet = this.#slab.buffer;
    copyBytes(packet, encodePublishHead(packet, at, fields), buffer, view.payloadStart, view.end);
    counters.sent += 1;
    far.write(packet, at, at + bytes);
  }

  /** The session must be done with a message that can't be sent. */
  #refuse({ qos, packetId, buffer, topicStart, topicEnd }: PublishView, reason: string): void {
    const { answer, drops } = this.#parts;
    drops.unsendable(reason, buffer.toString('utf8', topicStart, topicEnd));
    if (qos === 0) return;
    answer(ackOf(qos === 1 ? FirstByte.puback : FirstByte.pubrec, packetId, true));
  }

  #acknowledge(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const { far, limits, answer, drops } = this.#parts;
    const first = buffer[start]!;
    const packetId = buffer.readUInt16BE(bodyStart);
    if (first === FirstByte.pubrel && limits.maximumQos < 2) {
      answer(ackOf(FirstByte.pubcomp, packetId, false));
      return;
    }
    const reasonCode = end - bodyStart > 2 ? buffer[bodyStart + 2]! : ReasonCode.success;
    if (reasonCode >= ReasonCode.unspecifiedError && isReceipt(first)) {
      drops.refusedHere(describeCode(reasonCode, undefined), undefined);
    }
    if (limits.version === 5) {
      far.write(buffer, start, end);
      return;
    }
    const packet = ackOf(first, packetId, false);
    far.write(packet, 0, PLAIN_ACK_BYTES);
  }
}

function isReceipt(firstByte: number): boolean {
  return firstByte === FirstByte.puback || firstByte === FirstByte.pubrec;
}

/** @param isRefused with a Reason Code that ends the exchange without a delivery */
export function ackOf(firstByte: number, packetId: number, isRefused: boolean): Buffer {
  const plain = [firstByte, 2, packetId >> 8, packetId & 0xff];
  if (!isRefused) return Buffer.from(plain);
  plain[1] = 3;
  return Buffer.from([...plain, ReasonCode.implementationSpecificError]);
}
