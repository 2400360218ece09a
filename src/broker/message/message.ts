// An Application Message that outlives its packet: in queues, in flight, retained, or as a will.
// Invariant: what subscribers see of it never changes, and it owns its bytes or keeps the packet that has them.

import type { QoS } from '../../mqtt/publish-view.ts';
import { copyBytes } from '../../shared/copy-bytes.ts';
import type { ClientAccount } from '../accounts.ts';
import type { Identity } from '../identity.ts';
import type { ReceivedPacket } from './received-packet.ts';

/** A payload that fills more than this share of its read buffer stays a view instead of a copy. */
const VIEW_SHARE = 0.5;

/** A Topic Name in both forms. Messages of one topic share the object where possible. */
export interface Topic {
  readonly name: string;
  /** UTF-8 of the name. Replaced only by a copy: see keepForLong(). */
  bytes: Buffer;
  /** Messages of the topic that QueueMemory counts, and the session that it charges for the topic. */
  holders: number;
  payer: ClientAccount | undefined;
}

/** Where a store wrote a message: its id, and the log and snapshot that contain it. */
export interface StoredMark {
  readonly id: number;
  log: number;
  snapshot: number;
}

/** Made by a literal, or a ReceivedMessage, whose payload is an accessor: a spread would lose that. */
export interface Message {
  readonly topic: Topic;
  /** The packet in which it arrived; undefined where the message owns its payload. See BorrowedPayloads. */
  packet: ReceivedPacket | undefined;
  /** Replaced only by a copy: see keepForLong() and BorrowedPayloads. */
  payload: Buffer;
  /** MQTT 5 property bytes that travel with the message (see copyForwardableProperties). */
  properties: Buffer;
  readonly qos: QoS;
  /** The publisher's RETAIN flag. */
  readonly retain: boolean;
  /** Milliseconds of the core's clock; Infinity: never. */
  readonly expiresAt: number;
  /** The client that had it retained; undefined for a peer, the broker, or a message not retained. */
  publisher: Identity | undefined;
  /** Belongs to the store; undefined until the store has written the message. */
  mark: StoredMark | undefined;
  /** The session that QueueMemory charges for the message's bytes. */
  payer: ClientAccount | undefined;
  /** Deliveries of this message that QueueMemory counts. */
  holders: number;
  /** Names it on its way over bridges (hops.ts); undefined until a bridge takes it. */
  hopId: string | undefined;
}

export function newTopic(name: string, bytes: Buffer): Topic {
  return { name, bytes, holders: 0, payer: undefined };
}

/** Seconds until expiry, rounded up, 0 for an expired message; -1 for one that never expires. */
export function expirySecondsLeft(message: Message, now: number): number {
  return message.expiresAt === Number.POSITIVE_INFINITY
    ? -1
    : // Whole milliseconds first: fractions of the clock would turn 30 s into 30.0000000001 s, so 31.
      Math.max(0, Math.ceil(Math.round(message.expiresAt - now) / 1000));
}

export function isExpired(message: Message, now: number): boolean {
  return message.expiresAt <= now;
}

/** The size of the payload, for which no view of it is made. */
export function payloadBytesOf(message: Message): number {
  const { packet } = message;
  return packet === undefined ? message.payload.length : packet.payloadBytes;
}

/** The size of a message for limits in bytes: payload, topic and properties. */
export function messageBytes(message: Message): number {
  return payloadBytesOf(message) + message.topic.bytes.length + message.properties.length;
}

export const NO_BYTES = Buffer.alloc(0);

/**
 * Gives the message memory of its own: small buffers share an allocation, and one of them that is kept
 * for long would keep all of it.
 */
export function keepForLong(message: Message): void {
  message.topic.bytes = ownBuffer(message.topic.bytes);
  message.payload = ownBuffer(message.payload);
  message.packet = undefined;
  message.properties = ownBuffer(message.properties);
}

/** A copy where a view would keep a whole read buffer in memory. */
export function ownBytes(buffer: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  if (length > buffer.buffer.byteLength * VIEW_SHARE) return buffer.subarray(start, end);
  const copy = Buffer.allocUnsafe(length);
  copyBytes(copy, 0, buffer, start, end);
  return copy;
}

/** The bytes, or a copy where they would keep much more memory than their own. */
export function ownBuffer(bytes: Buffer): Buffer {
  if (bytes.length === 0 || bytes.buffer.byteLength <= bytes.length * 2) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/**
 * A message that clears the retained value of its topic [MQTT5-3.3.1-6].
 * @param expiresAt not later than now for one that stores take and subscribers do not
 */
export function clearingMessage(topic: Topic, expiresAt = Number.POSITIVE_INFINITY): Message {
  return {
    topic,
    packet: undefined,
    payload: NO_BYTES,
    properties: NO_BYTES,
    qos: 1,
    retain: true,
    expiresAt,
    publisher: undefined,
    payer: undefined,
    mark: undefined,
    holders: 0,
    hopId: undefined,
  };
}
