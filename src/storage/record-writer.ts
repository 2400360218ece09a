// Encodes state changes as records, for the log and for snapshots. record-reader.ts decodes them.
// Does not know files.
//
//   record        = type (1 byte), fields
//   1 session     = number, clientId, user (1: 1 has username, 2 has address), [username or address],
//                  expiry, deadline
//   2 -session    = number; removes the session with everything that belongs to it
//   3 subscription= number, filter, flags (1), identifier
//   4 -subscription = number, filter
//   5 message     = id, message
//   6 delivery    = number, id, message id, flags (1), packet id, count, identifiers
//   7 progress    = number, id, packet id, released (1)
//   8 -delivery   = number, id
//   9 received    = number, packet id
//   10 -received  = number, packet id
//   11 retained   = message
//   12 -retained  = topic
//   13 will       = number, deadline (never while the client is connected), delay, topic, flags (1),
//                  expiry, properties, payload
//   14 -will      = number
//   15 end        = sessions, retained; the last record of a snapshot
//   16 retainedBy = clientId, hasUsername (1), [username], message; retained, with its publisher
//   17 register   = key, hasValue (1), writer (8), time, sequence
//   18 -register  = key
//   19 known      = writer (8), from, to
//
//   message  = flags (1: QoS in 0 and 1, retain 2), deadline, topic, properties, payload
//   deadline = 0 for never, else milliseconds of this run's clock, plus 1
//   expiry   = 0 for none or never, else seconds plus 1
//
// Numbers are varints; texts and bytes follow their length. Records refer to a session by the number
// that its first record gives it, and to a message by its id: a message that is queued for a thousand
// sessions is written once and referred to a thousand times.

import type { Message } from '../broker/message/message.ts';
import type { DeliveryRecord, SessionRecord, SubscriptionRecord } from '../broker/ports.ts';
import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { RegisterRecord } from '../replica/register-store.ts';
import type { LogRange } from '../replica/repair-port.ts';
import { ByteWriter } from './byte-writer.ts';

export const RecordType = {
  session: 1,
  sessionRemoved: 2,
  subscription: 3,
  subscriptionRemoved: 4,
  message: 5,
  delivery: 6,
  progress: 7,
  deliveryRemoved: 8,
  received: 9,
  receivedRemoved: 10,
  retained: 11,
  retainedRemoved: 12,
  will: 13,
  willRemoved: 14,
  end: 15,
  retainedBy: 16,
  register: 17,
  registerRemoved: 18,
  known: 19,
} as const;

export class RecordWriter extends ByteWriter {
  session(number: number, session: SessionRecord): void {
    this.#head(RecordType.session, number);
    this.text(session.clientId);
    this.#user(session);
    this.#expiry(session.expirySeconds);
    this.#deadline(session.expiresAt);
  }

  /** Clients without a user name differ by their address. */
  #user({ username, address }: SessionRecord): void {
    if (username !== undefined || !address) {
      this.#username(username);
      return;
    }
    this.byte(2);
    this.text(address);
  }

  sessionRemoved(number: number): void {
    this.#head(RecordType.sessionRemoved, number);
  }

  subscription(number: number, subscription: SubscriptionRecord): void {
    const { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier } = subscription;
    this.#head(RecordType.subscription, number);
    this.text(filter);
    this.byte(qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0));
    this.varint(subscriptionIdentifier);
  }

  subscriptionRemoved(number: number, filter: string): void {
    this.#head(RecordType.subscriptionRemoved, number);
    this.text(filter);
  }

  message(id: number, message: Message, expiresAt = message.expiresAt): void {
    this.#head(RecordType.message, id);
    this.#message(message, expiresAt);
  }

  delivery(number: number, messageId: number, delivery: DeliveryRecord): void {
    const { id, qos, retain, released, packetId, identifiers } = delivery;
    this.#head(RecordType.delivery, number);
    this.varint(id);
    this.varint(messageId);
    this.byte(qos | (retain ? 4 : 0) | (released ? 8 : 0));
    this.varint(packetId);
    this.varint(identifiers.length);
    for (const identifier of identifiers) this.varint(identifier);
  }

  progress(number: number, delivery: DeliveryRecord): void {
    this.#head(RecordType.progress, number);
    this.varint(delivery.id);
    this.varint(delivery.packetId);
    this.byte(delivery.released ? 1 : 0);
  }

  deliveryRemoved(number: number, deliveryId: number): void {
    this.#head(RecordType.deliveryRemoved, number);
    this.varint(deliveryId);
  }

  received(number: number, packetId: number): void {
    this.#head(RecordType.received, number);
    this.varint(packetId);
  }

  receivedRemoved(number: number, packetId: number): void {
    this.#head(RecordType.receivedRemoved, number);
    this.varint(packetId);
  }

  retained(message: Message): void {
    const { publisher } = message;
    this.byte(publisher === undefined ? RecordType.retained : RecordType.retainedBy);
    if (publisher !== undefined) {
      this.text(publisher.clientId);
      this.#username(publisher.username);
    }
    this.#message(message, message.expiresAt);
  }

  #username(username: string | undefined): void {
    this.byte(username === undefined ? 0 : 1);
    if (username !== undefined) this.text(username);
  }

  retainedRemoved(topic: string): void {
    this.byte(RecordType.retainedRemoved);
    this.text(topic);
  }

  will(number: number, will: WillPacket, publishAt: number): void {
    this.#head(RecordType.will, number);
    this.#deadline(publishAt);
    this.varint(will.delaySeconds);
    this.text(will.topic);
    this.byte(will.qos | (will.retain ? 4 : 0));
    this.#expiry(will.expirySeconds < 0 ? Number.POSITIVE_INFINITY : will.expirySeconds);
    this.bytes(will.properties);
    this.bytes(will.payload);
  }

  willRemoved(number: number): void {
    this.#head(RecordType.willRemoved, number);
  }

  register({ key, hasValue, writer, time, sequence }: RegisterRecord): void {
    this.byte(RecordType.register);
    this.text(key);
    this.byte(hasValue ? 1 : 0);
    this.uint64(writer);
    this.varint(time);
    this.varint(sequence);
  }

  registerRemoved(key: string): void {
    this.byte(RecordType.registerRemoved);
    this.text(key);
  }

  known({ writer, from, to }: LogRange): void {
    this.byte(RecordType.known);
    this.uint64(writer);
    this.varint(from);
    this.varint(to);
  }

  end(sessions: number, retained: number): void {
    this.#head(RecordType.end, sessions);
    this.varint(retained);
  }

  #head(type: number, number: number): void {
    this.byte(type);
    this.varint(number);
  }

  #message(message: Message, expiresAt: number): void {
    this.byte(message.qos | (message.retain ? 4 : 0));
    this.#deadline(expiresAt);
    this.bytes(message.topic.bytes);
    this.bytes(message.properties);
    this.bytes(message.payload);
  }

  #deadline(at: number): void {
    this.varint(at === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Math.floor(at)) + 1);
  }

  #expiry(seconds: number): void {
    this.varint(seconds === Number.POSITIVE_INFINITY ? 0 : seconds + 1);
  }
}
