// Messages, sessions and deliveries as the broker hands them to its store, for tests of stores. Each
// field has a plain default that a test may override.

import { type Message, NO_BYTES, newTopic } from '../../src/broker/message/message.ts';
import type { DeliveryRecord, SessionRecord } from '../../src/broker/ports.ts';

const NEVER = Number.POSITIVE_INFINITY;

export function message(topic: string, payload: string, fields: Partial<Message> = {}): Message {
  return {
    topic: newTopic(topic, Buffer.from(topic)),
    payload: Buffer.from(payload),
    properties: NO_BYTES,
    qos: 1,
    retain: false,
    expiresAt: NEVER,
    mark: undefined,
    holders: 0,
    hopId: undefined,
    packet: undefined,
    publisher: undefined,
    payer: undefined,
    ...fields,
  };
}

export function session(clientId: string, fields: Partial<SessionRecord> = {}): SessionRecord {
  return { clientId, username: undefined, expirySeconds: NEVER, expiresAt: NEVER, ...fields };
}

export function delivery(
  id: number,
  of: Message,
  fields: Partial<DeliveryRecord> = {},
): DeliveryRecord {
  const defaults = {
    qos: 1,
    retain: false,
    identifiers: [],
    packetId: 0,
    released: false,
  } as const;
  return { id, message: of, ...defaults, ...fields };
}
