// From the far side to this node: gives each PUBLISH its topic and form of this node, and passes
// acknowledgements on to the bridge's session. The far side gets its PUBACK or PUBREC from the broker
// of this node, which sends it once its store has the message.
// Invariant: a PUBLISH that this node can't take is acknowledged and counted: without that the far side
// would send it for ever.

import { FirstByte, PacketType, packetTypeOf, publishFirstByte } from '../mqtt/packet-type.ts';
import { PropertyId, walkProperties } from '../mqtt/properties.ts';
import { malformed, ProtocolError, protocolFault } from '../mqtt/protocol-fault.ts';
import { decodePublish } from '../mqtt/publish-decoder.ts';
import { emptyPublishFields, encodePublishHead, publishBytes } from '../mqtt/publish-encoder.ts';
import { PublishView, type QoS } from '../mqtt/publish-view.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import { copyBytes } from '../shared/copy-bytes.ts';
import { PacketSlab } from '../shared/packet-slab.ts';
import type { BridgeCounters } from './counters.ts';
import { type DropLog, NOT_MAPPED } from './drop-log.ts';
import type { SkippedPublish } from './far-framer.ts';
import type { BridgeVersion } from './options.ts';
import { ackOf } from './outgoing.ts';
import type { OwnMessages } from './own-messages.ts';
import type { FarOutbox } from './ports.ts';
import type { MappedTopic, TopicMapper } from './topic-mapper.ts';

const NO_BYTES = Buffer.alloc(0);
const UNKNOWN_ALIAS = protocolFault('a Topic Alias that was never set');
const BAD_ALIAS = protocolFault('a Topic Alias above the maximum');
const SHORT_ACK = malformed('an acknowledgement without a Packet Identifier');

/** Topic Aliases that the far side may set. */
export const ALIASES_MAX = 64;

export interface IncomingParts {
  readonly mapper: TopicMapper;
  readonly counters: BridgeCounters;
  readonly version: BridgeVersion;
  readonly far: FarOutbox;
  readonly ownMessages: OwnMessages | undefined;
  /** Hands a packet to the session. @returns false if this node refuses it and can't say so in MQTT */
  readonly deliver: (packet: Buffer, now: number) => boolean;
  /** True if the PUBACK of this identifier ends a QoS 2 exchange of the session. */
  readonly takeLowered: (packetId: number) => boolean;
  readonly drops: DropLog;
}

/** One for each connection to the far side. */
export class Incoming {
  readonly #parts: IncomingParts;
  readonly #view = new PublishView();
  readonly #slab = new PacketSlab();
  /** Of the PUBLISH at hand; 0: none. */
  #alias = 0;
  readonly #aliases: (MappedTopic | null | undefined)[] = [];
  readonly #fields = emptyPublishFields(5);

  constructor(parts: IncomingParts) {
    this.#parts = parts;
  }

  /** A PUBLISH of the far side. @throws ProtocolError for a fault that ends the connection */
  publish(buffer: Buffer, start: number, bodyStart: number, end: number, now: number): void {
    const { counters, version } = this.#parts;
    const view = this.#view;
    const fault = decodePublish(view, buffer, start, bodyStart, end, version);
    if (fault !== undefined) throw new ProtocolError(fault);
    counters.received += 1;
    const properties = version === 5 ? this.#readProperties(view) : NO_BYTES;
    const topic = this.#topicOf(view);
    if (topic === undefined || topic === null) this.#refuse(view, NOT_MAPPED);
    else if (this.#isOwn(view, now)) this.#skip(view);
    else this.#forward(view, topic, properties, now);
  }

  /** A PUBLISH of the far side of which only the head has been read. */
  skipped({ qos, packetId, topic }: SkippedPublish): void {
    this.#parts.counters.received += 1;
    this.#parts.drops.refusedHere('larger than max-packet-size', topic);
    this.#acknowledge(qos, packetId);
  }

  #forward(view: PublishView, topic: MappedTopic, properties: Buffer, now: number): void {
    const fields = this.#fields;
    fields.firstByte = publishFirstByte(view.dup, view.qos, view.retain);
    fields.packetId = view.packetId;
    fields.topic = topic.bytes;
    fields.properties = properties;
    fields.payloadBytes = view.end - view.payloadStart;
    const bytes = publishBytes(fields);
    const at = this.#slab.reserve(bytes);
    const packet = this.#slab.buffer;
    const payloadAt = encodePublishHead(packet, at, fields);
    copyBytes(packet, payloadAt, view.buffer, view.payloadStart, view.end);
    if (!this.#parts.deliver(packet.subarray(at, at + bytes), now)) {
      this.#refuse(view, 'not a message that this node takes');
    }
  }

  #isOwn({ buffer, topicStart, topicEnd, payloadStart, end }: PublishView, now: number): boolean {
    const { ownMessages } = this.#parts;
    if (ownMessages === undefined) return false;
    const topic = buffer.toString('utf8', topicStart, topicEnd);
    return ownMessages.returned(topic, buffer, payloadStart, end, now);
  }

  #skip(view: PublishView): void {
    this.#parts.counters.looped += 1;
    this.#acknowledge(view.qos, view.packetId);
  }

  #refuse(view: PublishView, reason: string): void {
    this.#parts.drops.refusedHere(
      reason,
      view.buffer.toString('utf8', view.topicStart, view.topicEnd),
    );
    this.#acknowledge(view.qos, view.packetId);
  }

  /** In the name of this node. A QoS 2 exchange goes on with PUBREL, which the broker answers. */
  #acknowledge(qos: QoS, packetId: number): void {
    if (qos === 0) return;
    const packet = ackOf(qos === 1 ? FirstByte.puback : FirstByte.pubrec, packetId);
    this.#parts.far.write(packet, 0, packet.length);
  }

  /** @returns null where no rule maps the topic of a known alias */
  #topicOf(view: PublishView): MappedTopic | null | undefined {
    const { mapper } = this.#parts;
    const { buffer, topicStart, topicEnd } = view;
    const alias = this.#alias;
    if (topicStart === topicEnd) {
      const known = this.#aliases[alias];
      if (alias === 0 || known === undefined) throw new ProtocolError(UNKNOWN_ALIAS);
      return known;
    }
    const topic = mapper.map(buffer, topicStart, topicEnd);
    if (alias > 0) this.#aliases[alias] = topic ?? null;
    return topic;
  }

  /**
   * Reads the alias, and leaves out what belongs to one connection: Topic Alias and Subscription
   * Identifiers.
   */
  #readProperties({ buffer, propertiesStart, propertiesEnd }: PublishView): Buffer {
    this.#alias = 0;
    if (propertiesStart === propertiesEnd) return NO_BYTES;
    const kept: Buffer[] = [];
    const fault = walkProperties(
      buffer,
      propertiesStart,
      propertiesEnd,
      'delivery',
      (id, at, end) => {
        if (id === PropertyId.topicAlias) this.#alias = buffer.readUInt16BE(at);
        else if (id !== PropertyId.subscriptionIdentifier) kept.push(buffer.subarray(at - 1, end));
      },
    );
    if (fault !== undefined) throw new ProtocolError(fault);
    if (this.#alias > ALIASES_MAX) throw new ProtocolError(BAD_ALIAS);
    return kept.length === 1 ? kept[0]! : Buffer.concat(kept);
  }

  /**
   * An acknowledgement of the far side.
   * @returns a Reason Code that asks to try again later, or 0
   */
  acknowledge(buffer: Buffer, start: number, bodyStart: number, end: number, now: number): number {
    const { takeLowered, drops, deliver } = this.#parts;
    if (end - bodyStart < 2) throw new ProtocolError(SHORT_ACK);
    const first = buffer[start]!;
    const reasonCode = end - bodyStart > 2 ? buffer[bodyStart + 2]! : ReasonCode.success;
    if (isTemporary(reasonCode)) return reasonCode;
    const isReceipt =
      packetTypeOf(first) === PacketType.puback || packetTypeOf(first) === PacketType.pubrec;
    if (isReceipt && reasonCode >= ReasonCode.unspecifiedError) drops.refusedFar(reasonCode);
    const packetId = buffer.readUInt16BE(bodyStart);
    if (first === FirstByte.puback && takeLowered(packetId)) {
      deliver(ackOf(FirstByte.pubrec, packetId), now);
    } else {
      deliver(buffer.subarray(start, end), now);
    }
    return 0;
  }
}

/** The far side is full for now: the message must be sent again later, not given up. */
function isTemporary(reasonCode: number): boolean {
  return reasonCode === ReasonCode.quotaExceeded || reasonCode === ReasonCode.serverBusy;
}
