// A PUBLISH on its way to subscribers, in the form that each of them needs: the received packet, an
// encoding, or a Message. Each form is made at most once: subscribers get the publisher's own bytes
// where these fit, else one encoding for each wire variant; all queues share one Message.

import { publishFirstByte } from '../../mqtt/packet-type.ts';
import { copyForwardableProperties } from '../../mqtt/properties.ts';
import {
  emptyPublishFields,
  encodePublishHead,
  type PublishFields,
  publishBytes,
} from '../../mqtt/publish-encoder.ts';
import type { ProtocolVersion, PublishView, QoS } from '../../mqtt/publish-view.ts';
import { copyBytes } from '../../shared/copy-bytes.ts';
import { PacketSlab } from '../../shared/packet-slab.ts';
import type { GroupShare } from '../ports.ts';
import { expirySecondsLeft, type Message, NO_BYTES, ownBytes, type Topic } from './message.ts';
import { ReceivedMessage } from './received-message.ts';
import { ReceivedPacket } from './received-packet.ts';

const NO_IDENTIFIERS: readonly number[] = [];
const NEVER = Number.POSITIVE_INFINITY;
/** The number of a message that only this node has, and of one that repeats a lost one to this node. */
const ONLY_HERE = 0;
const REPEATED = -1;

/** An encoded packet: bytes `[start, end)` of `buffer`, which never change. */
export interface Encoded {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

const slab = new PacketSlab();
const fields = emptyPublishFields(4);

export interface PublishHeader {
  readonly version: ProtocolVersion;
  readonly qos: QoS;
  readonly dup: boolean;
  readonly retain: boolean;
  /** 0 with QoS 0. */
  readonly packetId: number;
  readonly identifiers: readonly number[];
  /** 0 for none. */
  readonly topicAlias: number;
  /** False where the Topic Alias alone names the topic. */
  readonly withTopic: boolean;
}

/**
 * Encodes a message for one client.
 * @param now decides how many seconds until expiry remain
 */
export function encodeMessage(message: Message, header: PublishHeader, now: number): Encoded {
  const { payload } = message;
  setFields(message, header, now);
  return encodePublish(fields, publishBytes(fields), payload, 0, payload.length);
}

/** Encodes a packet of `bytes` whose payload is `[start, end)` of a buffer. */
export function encodePublish(
  parts: PublishFields,
  bytes: number,
  payload: Buffer,
  start: number,
  end: number,
): Encoded {
  const at = slab.reserve(bytes);
  const { buffer } = slab;
  copyBytes(buffer, encodePublishHead(buffer, at, parts), payload, start, end);
  return { buffer, start: at, end: at + bytes };
}

/** As encodePublish(), without the payload, which has to follow. */
export function encodeHead(parts: PublishFields, bytes: number): Encoded {
  const start = slab.reserve(bytes - parts.payloadBytes);
  const { buffer } = slab;
  return { buffer, start, end: encodePublishHead(buffer, start, parts) };
}

function setFields(message: Message, header: PublishHeader, now: number): void {
  fields.version = header.version;
  fields.firstByte = publishFirstByte(header.dup, header.qos, header.retain);
  fields.packetId = header.packetId;
  fields.topic = header.withTopic ? message.topic.bytes : NO_BYTES;
  fields.properties = message.properties;
  fields.expirySeconds = expirySecondsLeft(message, now);
  fields.subscriptionIdentifiers = header.identifiers;
  fields.topicAlias = header.topicAlias;
  fields.payloadBytes = message.payload.length;
}

/** @template T the router's topics carry their route */
export class Publication<T extends Topic = Topic> {
  topic: T;
  qos: QoS = 0;
  retain = false;
  expiresAt = NEVER;
  publishedAt = 0;
  /** Another node has forwarded it. */
  isOfPeer = false;
  /** The received packet; undefined for a message of the broker itself. */
  #view: PublishView | undefined;
  /** The view's bytes may go out unchanged to QoS 0 subscribers of its version. */
  #verbatim = false;
  /** The view is a packet of QoS 1 or 2 that a message may keep to send it on. */
  #mayKeepPacket = false;
  #message: Message | undefined;
  /** Indexed by 1 for MQTT 5, plus 2 for RETAIN. */
  readonly #variants: (Encoded | undefined)[] = [undefined, undefined, undefined, undefined];
  #hasVariants = false;
  /** Which message it is, where other nodes have it too: seed of its origin, and its number there. */
  #origin = 0;
  #number = ONLY_HERE;
  /** Its number on its way over bridges (hops.ts); 0 until a bridge takes it. */
  hopNumber = 0;

  constructor(topic: T) {
    this.topic = topic;
  }

  /** @param verbatim the packet contains its Topic Name, and no property that ends at the broker */
  setView(view: PublishView, topic: T, expiresAt: number, verbatim: boolean, now: number): void {
    this.topic = topic;
    this.qos = view.qos;
    this.retain = view.retain;
    this.expiresAt = expiresAt;
    this.publishedAt = now;
    this.#view = view;
    this.#verbatim = verbatim && view.qos === 0 && !view.retain;
    this.#mayKeepPacket = verbatim && view.qos > 0;
    this.#reset();
  }

  setMessage(message: Message, topic: T, now: number): void {
    this.topic = topic;
    this.qos = message.qos;
    this.retain = message.retain;
    this.expiresAt = message.expiresAt;
    this.publishedAt = now;
    this.#view = undefined;
    this.#verbatim = false;
    this.#reset();
    this.#message = message;
  }

  /** The seed of the node that it was published on, where other nodes have it. */
  get origin(): number {
    return this.#origin;
  }

  /** Its number among the messages of its origin; 0 or less where it has none that others know. */
  get number(): number {
    return this.#number;
  }

  /** Other nodes have the message too. @param number among all messages of its origin, from 1 */
  setIdentity(origin: number, number: number): void {
    this.#origin = origin;
    this.#number = number;
  }

  /** The network has lost the message on its way to this node, and it comes late. */
  setRepeated(): void {
    this.#number = REPEATED;
  }

  /** True if the members of this node serve it. A group gets no message late: it could be its second. */
  isServedHere(share: GroupShare): boolean {
    if (this.#number === ONLY_HERE) return true;
    return this.#number !== REPEATED && share.isServedHere(this.#origin, this.#number);
  }

  get payloadBytes(): number {
    const view = this.#view;
    return view === undefined ? this.#message!.payload.length : view.end - view.payloadStart;
  }

  /** As a Message. Its payload is a view of the packet where the message keeps that. */
  message(): Message {
    this.#message ??= this.#materialise();
    return this.#message;
  }

  /** The packet that it came in, if that has no properties, and no queue has made a Message of it. */
  get plainView(): PublishView | undefined {
    const view = this.#view;
    const isPlain = view?.propertiesStart === view?.propertiesEnd;
    return isPlain && this.#message === undefined ? view : undefined;
  }

  /** The packet for a QoS 0 subscriber without Subscription Identifiers and aliases. */
  encodedQos0(version: ProtocolVersion, retain: boolean): Encoded {
    const modern = version === 5;
    const view = this.#view;
    if (this.#verbatim && !retain && view !== undefined && (view.version === 5) === modern) {
      return view;
    }
    const index = (modern ? 1 : 0) + (retain ? 2 : 0);
    let encoded = this.#variants[index];
    if (encoded === undefined) {
      // What the properties say of one connection is left out with them before MQTT 5.
      const isTranscoded = view !== undefined && (!modern || this.#verbatim);
      encoded =
        isTranscoded && this.#message === undefined
          ? transcode(view, this.topic, modern ? 5 : 4, retain)
          : encodeMessage(this.message(), qos0Header(modern ? 5 : 4, retain), this.publishedAt);
      this.#variants[index] = encoded;
      this.#hasVariants = true;
    }
    return encoded;
  }

  #reset(): void {
    this.#message = undefined;
    this.isOfPeer = false;
    this.#number = ONLY_HERE;
    this.hopNumber = 0;
    if (!this.#hasVariants) return;
    this.#variants.fill(undefined);
    this.#hasVariants = false;
  }

  #materialise(): Message {
    const { topic, expiresAt } = this;
    const view = this.#view!;
    const { buffer, payloadStart, end, qos, retain } = view;
    const properties =
      view.propertiesEnd > view.propertiesStart
        ? copyForwardableProperties(buffer, view.propertiesStart, view.propertiesEnd)
        : NO_BYTES;
    if (this.#mayKeepPacket && !this.isOfPeer) {
      return new ReceivedMessage(
        topic,
        new ReceivedPacket(view),
        properties,
        qos,
        retain,
        expiresAt,
      );
    }
    return {
      topic,
      packet: undefined,
      payload: ownBytes(buffer, payloadStart, end),
      properties,
      qos,
      retain,
      expiresAt,
      mark: undefined,
      holders: 0,
      hopId: undefined,
      publisher: undefined,
      payer: undefined,
    };
  }
}

function qos0Header(version: ProtocolVersion, retain: boolean): PublishHeader {
  return {
    version,
    qos: 0,
    dup: false,
    retain,
    packetId: 0,
    identifiers: NO_IDENTIFIERS,
    topicAlias: 0,
    withTopic: true,
  };
}

/** Re-encodes the packet for another protocol version, without a Message in between. */
function transcode(
  view: PublishView,
  topic: Topic,
  version: ProtocolVersion,
  retain: boolean,
): Encoded {
  fields.version = version;
  fields.firstByte = publishFirstByte(false, 0, retain);
  fields.topic = topic.bytes;
  fields.properties =
    version === 5 && view.propertiesEnd > view.propertiesStart
      ? view.buffer.subarray(view.propertiesStart, view.propertiesEnd)
      : NO_BYTES;
  fields.expirySeconds = -1;
  fields.subscriptionIdentifiers = NO_IDENTIFIERS;
  fields.topicAlias = 0;
  fields.payloadBytes = view.end - view.payloadStart;
  return encodePublish(fields, publishBytes(fields), view.buffer, view.payloadStart, view.end);
}
