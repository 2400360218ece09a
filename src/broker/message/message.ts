// An Application Message that outlives the packet it came in: in queues, in flight, retained, as a
// will. Owns its bytes and never changes.

import type { QoS } from '../../mqtt/publish-view.ts';

/** A Topic Name in both forms; one object is shared by all messages of a topic where possible. */
export interface Topic {
  readonly name: string;
  /** UTF-8 of the name. */
  readonly bytes: Buffer;
}

/** Where a store wrote a message: its id, and in which log and which snapshot it stands. */
export interface StoredMark {
  readonly id: number;
  log: number;
  snapshot: number;
}

export interface Message {
  readonly topic: Topic;
  readonly payload: Buffer;
  /** MQTT 5 property bytes without those of one hop (see copyForwardableProperties). */
  readonly properties: Buffer;
  readonly qos: QoS;
  /** The publisher's RETAIN flag. */
  readonly retain: boolean;
  /** Milliseconds of the core's clock; Infinity where the message does not expire. */
  readonly expiresAt: number;
  /** The store's own; undefined while no store has seen it. */
  mark: StoredMark | undefined;
  /** Deliveries of it that QueueMemory counts. */
  holders: number;
}

/** Seconds left, rounded up, or -1 for a message that does not expire. 0 or less: it has expired. */
export function expirySecondsLeft(message: Message, now: number): number {
  return message.expiresAt === Number.POSITIVE_INFINITY
    ? -1
    : // Whole milliseconds first: the clock's fractions would make 30.0000000001 s of 30, and so 31.
      Math.max(0, Math.ceil(Math.round(message.expiresAt - now) / 1000));
}

export function isExpired(message: Message, now: number): boolean {
  return message.expiresAt <= now;
}

/** What a message counts for in limits of bytes: payload, topic, properties. */
export function messageBytes(message: Message): number {
  return message.payload.length + message.topic.bytes.length + message.properties.length;
}

export const NO_BYTES = Buffer.alloc(0);
