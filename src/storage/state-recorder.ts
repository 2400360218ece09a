// Turns what the core tells into records, for one file: gives sessions their numbers and messages
// their ids, and writes a message before the first delivery that names it in this file.

import type { Message, StoredMark } from '../broker/message/message.ts';
import type {
  DeliveryRecord,
  SessionRecord,
  StateWriter,
  SubscriptionRecord,
} from '../broker/ports.ts';
import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { BlockBuilder } from './block-builder.ts';

/** Shared by all files: a number or id is given out once. */
export class Numbering {
  readonly #sessions = new Map<string, number>();
  #lastNumber: number;
  #lastMessageId: number;

  constructor(lastNumber: number, lastMessageId: number) {
    this.#lastNumber = lastNumber;
    this.#lastMessageId = lastMessageId;
  }

  know(clientId: string, number: number): void {
    this.#sessions.set(clientId, number);
  }

  find(clientId: string): number | undefined {
    return this.#sessions.get(clientId);
  }

  findOrGive(clientId: string): number {
    let number = this.#sessions.get(clientId);
    if (number === undefined) {
      this.#lastNumber += 1;
      number = this.#lastNumber;
      this.#sessions.set(clientId, number);
    }
    return number;
  }

  forget(clientId: string): number | undefined {
    const number = this.#sessions.get(clientId);
    this.#sessions.delete(clientId);
    return number;
  }

  mark(message: Message): StoredMark {
    if (message.mark === undefined) {
      this.#lastMessageId += 1;
      message.mark = { id: this.#lastMessageId, log: 0, snapshot: 0 };
    }
    return message.mark;
  }
}

/** The part of a recorder that log and snapshot have in common. */
export abstract class StateRecorder implements StateWriter {
  protected readonly numbering: Numbering;

  constructor(numbering: Numbering) {
    this.numbering = numbering;
  }

  protected abstract get builder(): BlockBuilder;
  /** The session's number in this file. */
  protected abstract numberOf(clientId: string): number | undefined;
  /** True if the message is not in this file yet; it is from now on. */
  protected abstract claim(mark: StoredMark): boolean;

  abstract saveSession(session: SessionRecord): void;

  saveSubscription(clientId: string, subscription: SubscriptionRecord): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.builder.records.subscription(number, subscription);
  }

  saveDelivery(clientId: string, delivery: DeliveryRecord): void {
    const number = this.numberOf(clientId);
    if (number === undefined) return;
    const mark = this.numbering.mark(delivery.message);
    const { records } = this.builder;
    if (this.claim(mark)) records.message(mark.id, delivery.message);
    records.delivery(number, mark.id, delivery);
  }

  saveReceived(clientId: string, packetId: number): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.builder.records.received(number, packetId);
  }

  saveRetained(message: Message): void {
    this.builder.records.retained(message);
  }

  saveWill(clientId: string, will: WillPacket, publishAt: number): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.builder.records.will(number, will, publishAt);
  }
}
