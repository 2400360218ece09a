// From this node to the far side: takes the messages of the bridge's own session as fields, encodes each
// with topic, alias and form of the far side, and passes acknowledgements on unchanged. So a message leaves
// the session's queue exactly when the far side has acknowledged it.
// Invariant: every QoS 1 and 2 message of the session is sent, or refused with its reason.

import { FirstByte, PublishFlag, publishFirstByte, qosOf } from '../mqtt/packet-type.ts';
import { encodePublishHead, type PublishFields, publishBytes } from '../mqtt/publish-encoder.ts';
import type { QoS } from '../mqtt/publish-view.ts';
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
/** From this size on a payload is not copied: it is a part of its own of what is written. */
const PART_BYTES_MIN = 4096;

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
  readonly #slab = new PacketSlab();
  #lastAlias = 0;
  /** Packet Identifiers of QoS 2 messages that the far side gets with QoS 1. */
  readonly #lowered = new Set<number>();

  constructor(parts: OutgoingParts) {
    this.#parts = parts;
  }

  /** True if the PUBACK of this identifier ends a QoS 2 exchange of the session. */
  takeLowered(packetId: number): boolean {
    return this.#lowered.delete(packetId);
  }

  /**
   * Sends a message of the session, given as the fields of an MQTT 5 PUBLISH, which this changes, and its
   * payload. @returns false if it can't be sent
   */
  publish(fields: PublishFields, payload: Buffer, start: number, end: number): boolean {
    const { mapper, counters, far, limits, ownMessages, answer } = this.#parts;
    const source = fields.topic;
    const topic = mapper.map(source, 0, source.length);
    if (topic === undefined) return this.#refuse(source, NOT_MAPPED);
    const asked = qosOf(fields.firstByte) as QoS;
    const qos = Math.min(asked, limits.maximumQos) as QoS;
    if (qos < asked || !limits.retainAvailable) this.#lower(fields, qos);
    fields.version = limits.version;
    fields.topic = topic.bytes;
    fields.topicAlias = topic.alias;
    if (topic.alias > 0) fields.topic = NO_BYTES;
    else if (this.#lastAlias < limits.topicAliasMaximum) fields.topicAlias = this.#lastAlias + 1;
    const bytes = publishBytes(fields);
    if (bytes > limits.maximumPacketBytes) {
      return this.#refuse(source, 'larger than the far side takes');
    }
    if (fields.topicAlias > this.#lastAlias) topic.alias = this.#lastAlias = fields.topicAlias;
    if (qos === 1 && asked === 2) this.#lowered.add(fields.packetId);
    if (qos === 0 && asked > 0) {
      answer(ackOf(asked === 1 ? FirstByte.puback : FirstByte.pubrec, fields.packetId));
    }
    ownMessages?.sent(topic.bytes, payload, start, end, this.#parts.now());
    const isPart = fields.payloadBytes >= PART_BYTES_MIN;
    const at = this.#slab.reserve(isPart ? bytes - fields.payloadBytes : bytes);
    const packet = this.#slab.buffer;
    const headEnd = encodePublishHead(packet, at, fields);
    counters.sent += 1;
    if (isPart) {
      far.write(packet, at, headEnd);
      far.write(payload, start, end);
    } else {
      far.write(packet, at, copyBytes(packet, headEnd, payload, start, end));
    }
    return true;
  }

  #lower(fields: PublishFields, qos: QoS): void {
    const { firstByte } = fields;
    const isRepeated = (firstByte & PublishFlag.dup) !== 0 && qos > 0;
    const isRetained = (firstByte & PublishFlag.retain) !== 0 && this.#parts.limits.retainAvailable;
    fields.firstByte = publishFirstByte(isRepeated, qos, isRetained);
  }

  #refuse(topic: Buffer, reason: string): false {
    this.#parts.drops.unsendable(reason, topic.toString('utf8'));
    return false;
  }

  /** Passes whole MQTT 5 acknowledgements of the session on. */
  acknowledge(buffer: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const length = decodeVarint(buffer, at + 1, end);
      const bodyStart = at + 1 + varintBytes(length);
      this.#acknowledge(buffer, at, bodyStart, bodyStart + length);
      at = bodyStart + length;
    }
  }

  #acknowledge(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const { far, limits, answer, drops } = this.#parts;
    const first = buffer[start]!;
    const packetId = buffer.readUInt16BE(bodyStart);
    if (first === FirstByte.pubrel && limits.maximumQos < 2) {
      answer(ackOf(FirstByte.pubcomp, packetId));
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
    const packet = ackOf(first, packetId);
    far.write(packet, 0, PLAIN_ACK_BYTES);
  }
}

function isReceipt(firstByte: number): boolean {
  return firstByte === FirstByte.puback || firstByte === FirstByte.pubrec;
}

export function ackOf(firstByte: number, packetId: number): Buffer {
  return Buffer.from([firstByte, 2, packetId >> 8, packetId & 0xff]);
}
