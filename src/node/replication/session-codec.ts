// Sessions on the bulk channel: requests, answers, and a whole session as the records that -data would
// write for it (src/storage/record-writer.ts). docs/protocol-bulk.md has the layouts.
// Invariants: reading never throws; a session that a peer sends is checked as strictly as what clients
// send; times are relative to the moment of sending.

import type { Message } from '../../broker/message/message.ts';
import type { SessionOffer } from '../../broker/moving-sessions.ts';
import type {
  DeliveryRecord,
  Identity,
  SessionRecord,
  StateWriter,
  StoredSession,
  SubscriptionRecord,
} from '../../broker/ports.ts';
import { walkProperties } from '../../mqtt/properties.ts';
import { isSharedFilter, isTopicFilter, isTopicName, parseSharedFilter } from '../../mqtt/topic.ts';
import { ByteReader, DecodeError } from '../../storage/byte-reader.ts';
import { ByteWriter } from '../../storage/byte-writer.ts';
import { readRecords } from '../../storage/record-reader.ts';
import { RecordWriter } from '../../storage/record-writer.ts';
import { ReplayedState } from '../../storage/replayed-state.ts';

export const SessionKind = { ask: 16, answer: 17, fetch: 18, part: 19, taken: 20 } as const;

/** Of a session in one frame. */
export const PART_BYTES = 60 * 1024;
const PART_HEAD_BYTES = 5;
const FLAG_LAST = 0x01;
const FLAG_TAIL = 0x02;
const AGE_UNKNOWN = 0xffffffff;
/** The number of the only session in the records. */
const NUMBER = 1;

type Who = Pick<Identity, 'clientId' | 'username'>;

/** Body of `ask` and `fetch`. */
export function encodeRequest(id: number, { clientId, username }: Who): Buffer {
  const writer = new ByteWriter();
  writer.varint(id);
  writer.text(clientId);
  writer.byte(username === undefined ? 0 : 1);
  if (username !== undefined) writer.text(username);
  return writer.buffer.subarray(0, writer.length);
}

export function decodeRequest(body: Buffer): (Who & { readonly id: number }) | undefined {
  return guarded(() => {
    const reader = new ByteReader(body);
    const id = reader.varint();
    const clientId = reader.text();
    // An answer has four bytes for it.
    if (id > 0xffffffff) return undefined;
    return { id, clientId, username: reader.byte() === 0 ? undefined : reader.text() };
  });
}

/** Body of `answer`. @param offer undefined: there is no such session */
export function encodeAnswer(id: number, offer: SessionOffer | undefined): Buffer {
  const body = Buffer.alloc(9);
  body.writeUInt32BE(id, 0);
  if (offer !== undefined) {
    body[4] = offer.isConnected ? 2 : 1;
    body.writeUInt32BE(Math.min(AGE_UNKNOWN, Math.max(0, Math.floor(offer.ageSeconds))), 5);
  }
  return body;
}

export function decodeAnswer(
  body: Buffer,
): { readonly id: number; readonly offer: SessionOffer | undefined } | undefined {
  if (body.length !== 9) return undefined;
  const [id, state, age] = [body.readUInt32BE(0), body[4], body.readUInt32BE(5)];
  const ageSeconds = age === AGE_UNKNOWN ? Number.POSITIVE_INFINITY : age;
  return { id, offer: state === 0 ? undefined : { isConnected: state === 2, ageSeconds } };
}

/** Bodies of `part`: at least one. */
export function* encodeParts(id: number, isTail: boolean, bytes: Buffer): Generator<Buffer> {
  let at = 0;
  do {
    const end = Math.min(bytes.length, at + PART_BYTES);
    const head = Buffer.alloc(PART_HEAD_BYTES);
    head.writeUInt32BE(id, 0);
    head[4] = (end === bytes.length ? FLAG_LAST : 0) | (isTail ? FLAG_TAIL : 0);
    yield Buffer.concat([head, bytes.subarray(at, end)]);
    at = end;
  } while (at < bytes.length);
}

export interface Part {
  readonly id: number;
  readonly isLast: boolean;
  readonly isTail: boolean;
  readonly bytes: Buffer;
}

export function decodePart(body: Buffer): Part | undefined {
  if (body.length < PART_HEAD_BYTES) return undefined;
  const flags = body[4]!;
  return {
    id: body.readUInt32BE(0),
    isLast: (flags & FLAG_LAST) !== 0,
    isTail: (flags & FLAG_TAIL) !== 0,
    bytes: body.subarray(PART_HEAD_BYTES),
  };
}

export function encodeTaken(id: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(id, 0);
  return body;
}

/** Encodes one session. */
export class SessionEncoder implements StateWriter {
  readonly #records = new RecordWriter();
  readonly #messages = new Map<Message, number>();
  readonly #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  get bytes(): Buffer {
    return this.#records.buffer.subarray(0, this.#records.length);
  }

  saveSession(session: SessionRecord): void {
    this.#records.session(NUMBER, session);
  }

  saveSubscription(_clientId: string, subscription: SubscriptionRecord): void {
    this.#records.subscription(NUMBER, subscription);
  }

  saveDelivery(_clientId: string, delivery: DeliveryRecord): void {
    const { message } = delivery;
    let id = this.#messages.get(message);
    if (id === undefined) {
      id = this.#messages.size + 1;
      this.#messages.set(message, id);
      const expiresAt = Math.max(0, message.expiresAt - this.#now);
      this.#records.message(id, message, expiresAt);
    }
    this.#records.delivery(NUMBER, id, delivery);
  }

  saveReceived(_clientId: string, packetId: number): void {
    this.#records.received(NUMBER, packetId);
  }

  /** Retained messages and wills don't move. */
  saveRetained(): void {}
  saveWill(): void {}
}

/** @returns undefined where the bytes are not a session of this client, as a node may send it */
export function decodeSession(
  bytes: Buffer,
  clientId: string,
  now: number,
): StoredSession | undefined {
  return guarded(() => {
    const state = new ReplayedState();
    readRecords(bytes, state);
    state.finish(now);
    const [session, ...others] = [...state.sessions];
    if (session?.clientId !== clientId || others.length > 0) return undefined;
    const isValid =
      [...session.subscriptions].every(({ filter }) => isFilter(filter)) &&
      [...session.deliveries].every(({ message, qos }) => qos > 0 && isMessage(message));
    return isValid ? session : undefined;
  });
}

function isFilter(filter: string): boolean {
  if (!isSharedFilter(filter)) return isTopicFilter(filter);
  const parsed = parseSharedFilter(filter);
  return parsed !== undefined && isTopicFilter(parsed.filter);
}

function isMessage({ topic, properties }: Message): boolean {
  const fault = walkProperties(properties, 0, properties.length, 'publish', () => undefined);
  return isTopicName(topic.name) && fault === undefined;
}

function guarded<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
