// Rebuilds the state from records in the order in which they were written. Later records win. A record
// that refers to an unknown session or message is counted and skipped: either that ended while the
// snapshot was being written, or it was lost in a damaged range.

import type { Message, Topic } from '../broker/message/message.ts';
import type {
  DeliveryRecord,
  StoredSession,
  StoredState,
  SubscriptionRecord,
} from '../broker/ports.ts';
import type { WillPacket } from '../mqtt/control-decoder.ts';
import { PACKET_ID_MAX } from '../mqtt/limits.ts';
import type { RegisterRecord } from '../replica/register-store.ts';
import type { LogRange } from '../replica/repair-port.ts';
import type {
  DeliveryFields,
  ReadMessage,
  RecordVisitor,
  SessionFields,
  WillFields,
} from './record-reader.ts';
import { ReplayedRegisters } from './replayed-registers.ts';

const TOPICS_SHARED_MAX = 65_536;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface ReplayedWill {
  readonly packet: WillPacket;
  publishAt: number;
}

class ReplayedSession implements StoredSession {
  readonly number: number;
  clientId: string;
  username: string | undefined;
  address: string | undefined;
  expirySeconds: number;
  expiresAt: number;
  will: ReplayedWill | undefined = undefined;
  #subscriptions: Map<string, SubscriptionRecord> | undefined;
  #deliveries: Map<number, Mutable<DeliveryRecord>> | undefined;
  #received: Set<number> | undefined;

  constructor(number: number, fields: SessionFields) {
    this.number = number;
    this.clientId = fields.clientId;
    this.username = fields.username;
    this.address = fields.address;
    this.expirySeconds = fields.expirySeconds;
    this.expiresAt = fields.expiresAt;
  }

  get subscriptions(): Iterable<SubscriptionRecord> {
    return this.#subscriptions?.values() ?? [];
  }

  /** In the order of sending or releasing; each Packet Identifier at most once. */
  get deliveries(): Iterable<DeliveryRecord> {
    if (this.#deliveries === undefined) return [];
    const sent = new Map<number, DeliveryRecord>();
    const waiting: DeliveryRecord[] = [];
    for (const delivery of this.#deliveries.values()) {
      const { packetId } = delivery;
      if (packetId > 0 && packetId <= PACKET_ID_MAX) sent.set(packetId, delivery);
      else if (packetId === 0) waiting.push(delivery);
    }
    waiting.sort((a, b) => a.id - b.id);
    return [...sent.values(), ...waiting];
  }

  get received(): Iterable<number> {
    return this.#received ?? [];
  }

  subscribe(subscription: SubscriptionRecord): void {
    this.#subscriptions ??= new Map();
    this.#subscriptions.set(subscription.filter, subscription);
  }

  unsubscribe(filter: string): void {
    this.#subscriptions?.delete(filter);
  }

  /** The map is ordered by the last record of each delivery. */
  deliver(delivery: Mutable<DeliveryRecord>): void {
    this.#deliveries ??= new Map();
    this.#deliveries.delete(delivery.id);
    this.#deliveries.set(delivery.id, delivery);
  }

  /** Moves the delivery behind all others, which keeps the order of sending or releasing. */
  progress(deliveryId: number, packetId: number, released: boolean): void {
    const delivery = this.#deliveries?.get(deliveryId);
    if (delivery === undefined) return;
    delivery.packetId = packetId;
    delivery.released = released;
    this.#deliveries?.delete(deliveryId);
    this.#deliveries?.set(deliveryId, delivery);
  }

  forget(deliveryId: number): void {
    this.#deliveries?.delete(deliveryId);
  }

  receive(packetId: number): void {
    this.#received ??= new Set();
    this.#received.add(packetId);
  }

  release(packetId: number): void {
    this.#received?.delete(packetId);
  }
}

export class ReplayedState implements RecordVisitor, StoredState {
  /** Records that refer to unknown sessions or messages. */
  orphans = 0;
  /** True once the end of the snapshot has been read. */
  isComplete = false;
  readonly registers = new ReplayedRegisters();
  readonly #sessions = new Map<number, ReplayedSession>();
  readonly #messages = new Map<number, Message>();
  /** Of the snapshot. A list, because a map of all of them would take half of the start's time. */
  readonly #snapshotRetained: Message[] = [];
  /** Of the logs, by topic; undefined if the message was removed. */
  readonly #loggedRetained = new Map<string, Message | undefined>();
  #isLog = false;
  /** Messages with an expiry, which finish() converts to the present clock. */
  readonly #timed: ReadMessage[] = [];
  #lastPublisher: ReadMessage['publisher'];
  readonly #topics = new Map<string, Topic>();
  #base = 0;
  #lastNumber = 0;
  #lastMessageId = 0;

  /** The last message of each topic. */
  get retained(): Iterable<Message> {
    return this.#allRetained();
  }

  *#allRetained(): Generator<Message> {
    const logged = this.#loggedRetained;
    for (const message of this.#snapshotRetained) {
      if (logged.size === 0 || !logged.has(message.topic.name)) yield message;
    }
    for (const message of logged.values()) if (message !== undefined) yield message;
  }

  /** One session for each Client Identifier: damage may have left an older one. */
  get sessions(): Iterable<ReplayedSession> {
    const byClient = new Map<string, ReplayedSession>();
    for (const session of this.#sessions.values()) {
      byClient.set(session.clientId, session);
    }
    return byClient.values();
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  get lastMessageId(): number {
    return this.#lastMessageId;
  }

  /** The following records come from a log. */
  beginLog(): void {
    this.#isLog = true;
  }

  /** @param base offset from the clock of the following records to the timeline, in ms */
  setBase(base: number): void {
    this.#base = base;
  }

  /** To be called after the last record. @param toPresent offset from the timeline to the present clock, in ms */
  finish(toPresent: number): void {
    for (const timed of this.#timed) timed.expiresAt += toPresent;
    for (const session of this.#sessions.values()) {
      session.expiresAt += toPresent;
      if (session.will !== undefined) session.will.publishAt += toPresent;
    }
    this.#timed.length = 0;
    this.#topics.clear();
  }

  session(number: number, fields: SessionFields): void {
    const expiresAt = fields.expiresAt + this.#base;
    const session = this.#sessions.get(number);
    this.#lastNumber = Math.max(this.#lastNumber, number);
    if (session === undefined) {
      this.#sessions.set(number, new ReplayedSession(number, { ...fields, expiresAt }));
      return;
    }
    session.username = fields.username;
    session.address = fields.address;
    session.expirySeconds = fields.expirySeconds;
    session.expiresAt = expiresAt;
  }

  sessionRemoved(number: number): void {
    this.#sessions.delete(number);
  }

  subscription(number: number, fields: SubscriptionRecord): void {
    this.#find(number)?.subscribe(fields);
  }

  subscriptionRemoved(number: number, filter: string): void {
    this.#find(number)?.unsubscribe(filter);
  }

  message(id: number, message: ReadMessage): void {
    this.#lastMessageId = Math.max(this.#lastMessageId, id);
    this.#convertExpiry(message);
    message.topic = this.#share(message.topic);
    message.mark = { id, log: 0, snapshot: 0 };
    this.#messages.set(id, message);
  }

  delivery(number: number, fields: DeliveryFields): void {
    const message = this.#messages.get(fields.messageId);
    if (message === undefined) {
      this.orphans += 1;
      return;
    }
    const { id, qos, retain, released, packetId, identifiers } = fields;
    const delivery = { id, message, qos, retain, identifiers, packetId, released };
    this.#find(number)?.deliver(delivery);
  }

  progress(number: number, deliveryId: number, packetId: number, released: boolean): void {
    this.#find(number)?.progress(deliveryId, packetId, released);
  }

  deliveryRemoved(number: number, deliveryId: number): void {
    this.#find(number)?.forget(deliveryId);
  }

  received(number: number, packetId: number): void {
    this.#find(number)?.receive(packetId);
  }

  receivedRemoved(number: number, packetId: number): void {
    this.#find(number)?.release(packetId);
  }

  retain(message: ReadMessage): void {
    this.#convertExpiry(message);
    message.publisher = this.#sharePublisher(message.publisher);
    if (this.#isLog) this.#loggedRetained.set(message.topic.name, message);
    else this.#snapshotRetained.push(message);
  }

  retainedRemoved(topic: string): void {
    this.#loggedRetained.set(topic, undefined);
  }

  will(number: number, fields: WillFields): void {
    const session = this.#find(number);
    if (session === undefined) return;
    const { topic, qos, retain, expirySeconds, delaySeconds, publishAt } = fields;
    const packet: WillPacket = {
      topic,
      payload: fields.payload,
      properties: fields.properties,
      qos,
      retain,
      expirySeconds,
      delaySeconds,
      payloadIsText: false,
    };
    session.will = { packet, publishAt: publishAt + this.#base };
  }

  willRemoved(number: number): void {
    const session = this.#find(number);
    if (session !== undefined) session.will = undefined;
  }

  register(record: RegisterRecord): void {
    this.registers.save(record);
  }

  registerRemoved(key: string): void {
    this.registers.remove(key);
  }

  known(range: LogRange): void {
    this.registers.saveKnown(range);
  }

  end(): void {
    this.isComplete = true;
  }

  #find(number: number): ReplayedSession | undefined {
    const session = this.#sessions.get(number);
    if (session === undefined) this.orphans += 1;
    return session;
  }

  #convertExpiry(message: ReadMessage): void {
    if (message.expiresAt === Number.POSITIVE_INFINITY) return;
    message.expiresAt += this.#base;
    this.#timed.push(message);
  }

  /** Returns the previous object if it is equal: one client often publishes many retained messages. */
  #sharePublisher(publisher: ReadMessage['publisher']): ReadMessage['publisher'] {
    const last = this.#lastPublisher;
    const isSame = last?.clientId === publisher?.clientId && last?.username === publisher?.username;
    if (!isSame) this.#lastPublisher = publisher;
    return this.#lastPublisher;
  }

  /** Returns the first object of an equal topic, since most messages have one of few topics. */
  #share(topic: Topic): Topic {
    const known = this.#topics.get(topic.name);
    if (known !== undefined) return known;
    if (this.#topics.size >= TOPICS_SHARED_MAX) this.#topics.clear();
    this.#topics.set(topic.name, topic);
    return topic;
  }
}
