// Decodes the records of a block and passes them to a visitor, which rebuilds the state. The layouts are
// in record-writer.ts. The visitor owns all that it receives.

import { type Message, newTopic, type Topic } from '../broker/message/message.ts';
import type { SubscriptionRecord } from '../broker/ports.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import type { RegisterRecord } from '../replica/register-store.ts';
import type { LogRange } from '../replica/repair-port.ts';
import { ByteReader, DecodeError } from './byte-reader.ts';
import { RecordType } from './record-writer.ts';

/** `expiresAt` refers to the clock of the run that wrote it, until the visitor converts it. */
export type ReadMessage = Message & { expiresAt: number; topic: Topic };

export interface SessionFields {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly address: string | undefined;
  readonly expirySeconds: number;
  readonly expiresAt: number;
}

export interface DeliveryFields {
  readonly id: number;
  readonly messageId: number;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly released: boolean;
  readonly packetId: number;
  readonly identifiers: readonly number[];
}

export interface WillFields {
  readonly publishAt: number;
  readonly delaySeconds: number;
  readonly topic: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly expirySeconds: number;
  readonly properties: Buffer;
  readonly payload: Buffer;
}

export interface RecordVisitor {
  session(number: number, fields: SessionFields): void;
  sessionRemoved(number: number): void;
  subscription(number: number, fields: SubscriptionRecord): void;
  subscriptionRemoved(number: number, filter: string): void;
  message(id: number, message: ReadMessage): void;
  delivery(number: number, fields: DeliveryFields): void;
  progress(number: number, deliveryId: number, packetId: number, released: boolean): void;
  deliveryRemoved(number: number, deliveryId: number): void;
  received(number: number, packetId: number): void;
  receivedRemoved(number: number, packetId: number): void;
  retain(message: ReadMessage): void;
  retainedRemoved(topic: string): void;
  will(number: number, fields: WillFields): void;
  willRemoved(number: number): void;
  register(record: RegisterRecord): void;
  registerRemoved(key: string): void;
  known(range: LogRange): void;
  end(): void;
}

/** @throws DecodeError at the first invalid record; the visitor has received those before it */
export function readRecords(payload: Buffer, visitor: RecordVisitor): void {
  const reader = new ByteReader(payload);
  while (!reader.atEnd) readRecord(reader, visitor);
}

function readRecord(reader: ByteReader, visitor: RecordVisitor): void {
  const type = reader.byte();
  switch (type) {
    case RecordType.session:
      visitor.session(reader.varint(), readSession(reader));
      break;
    case RecordType.sessionRemoved:
      visitor.sessionRemoved(reader.varint());
      break;
    case RecordType.subscription:
      visitor.subscription(reader.varint(), readSubscription(reader));
      break;
    case RecordType.subscriptionRemoved:
      visitor.subscriptionRemoved(reader.varint(), reader.text());
      break;
    case RecordType.message:
      visitor.message(reader.varint(), readMessage(reader));
      break;
    case RecordType.delivery:
      visitor.delivery(reader.varint(), readDelivery(reader));
      break;
    case RecordType.progress:
      visitor.progress(reader.varint(), reader.varint(), reader.varint(), reader.byte() === 1);
      break;
    case RecordType.deliveryRemoved:
      visitor.deliveryRemoved(reader.varint(), reader.varint());
      break;
    case RecordType.received:
      visitor.received(reader.varint(), reader.varint());
      break;
    case RecordType.receivedRemoved:
      visitor.receivedRemoved(reader.varint(), reader.varint());
      break;
    case RecordType.retained:
      visitor.retain(readMessage(reader));
      break;
    case RecordType.retainedBy:
      visitor.retain(readRetainedBy(reader));
      break;
    case RecordType.retainedRemoved:
      visitor.retainedRemoved(reader.text());
      break;
    case RecordType.will:
      visitor.will(reader.varint(), readWill(reader));
      break;
    case RecordType.willRemoved:
      visitor.willRemoved(reader.varint());
      break;
    case RecordType.register:
      visitor.register(readRegister(reader));
      break;
    case RecordType.registerRemoved:
      visitor.registerRemoved(reader.text());
      break;
    case RecordType.known:
      visitor.known({ writer: reader.uint64(), from: reader.varint(), to: reader.varint() });
      break;
    case RecordType.end:
      reader.varint();
      reader.varint();
      visitor.end();
      break;
    default:
      throw new DecodeError(`unknown record type ${type}`);
  }
}

function readSession(reader: ByteReader): SessionFields {
  const clientId = reader.text();
  const kind = reader.byte();
  const username = kind === 1 ? reader.text() : undefined;
  const address = kind === 2 ? reader.text() : undefined;
  const [expirySeconds, expiresAt] = [readOrNever(reader), readOrNever(reader)];
  return { clientId, username, address, expirySeconds, expiresAt };
}

function readSubscription(reader: ByteReader): SubscriptionRecord {
  const filter = reader.text();
  const flags = reader.byte();
  return {
    filter,
    qos: qosOf(flags),
    noLocal: (flags & 4) !== 0,
    retainAsPublished: (flags & 8) !== 0,
    subscriptionIdentifier: reader.varint(),
  };
}

function readRetainedBy(reader: ByteReader): ReadMessage {
  const publisher = { clientId: reader.text(), username: readUsername(reader) };
  return { ...readMessage(reader), publisher };
}

function readUsername(reader: ByteReader): string | undefined {
  return reader.byte() === 1 ? reader.text() : undefined;
}

function readMessage(reader: ByteReader): ReadMessage {
  const flags = reader.byte();
  const expiresAt = readOrNever(reader);
  const topic = reader.bytes();
  const properties = reader.bytes();
  return {
    topic: newTopic(topic.toString('utf8'), topic),
    payload: reader.bytes(),
    properties,
    qos: qosOf(flags),
    retain: (flags & 4) !== 0,
    expiresAt,
    mark: undefined,
    holders: 0,
    hopId: undefined,
    packet: undefined,
    publisher: undefined,
    payer: undefined,
  };
}

function readDelivery(reader: ByteReader): DeliveryFields {
  const id = reader.varint();
  const messageId = reader.varint();
  const flags = reader.byte();
  const packetId = reader.varint();
  const identifiers: number[] = [];
  for (let left = reader.varint(); left > 0; left--) identifiers.push(reader.varint());
  return {
    id,
    messageId,
    qos: qosOf(flags),
    retain: (flags & 4) !== 0,
    released: (flags & 8) !== 0,
    packetId,
    identifiers,
  };
}

function readWill(reader: ByteReader): WillFields {
  const publishAt = readOrNever(reader);
  const delaySeconds = reader.varint();
  const topic = reader.text();
  const flags = reader.byte();
  const expiry = readOrNever(reader);
  return {
    publishAt,
    delaySeconds,
    topic,
    qos: qosOf(flags),
    retain: (flags & 4) !== 0,
    expirySeconds: expiry === Number.POSITIVE_INFINITY ? -1 : expiry,
    properties: reader.bytes(),
    payload: reader.bytes(),
  };
}

function readRegister(reader: ByteReader): RegisterRecord {
  const key = reader.text();
  const hasValue = reader.byte() === 1;
  const writer = reader.uint64();
  return { key, hasValue, writer, time: reader.varint(), sequence: reader.varint() };
}

function readOrNever(reader: ByteReader): number {
  const value = reader.varint();
  return value === 0 ? Number.POSITIVE_INFINITY : value - 1;
}

function qosOf(flags: number): QoS {
  const qos = flags & 3;
  if (qos === 3) throw new DecodeError('a record has QoS 3');
  return qos as QoS;
}
