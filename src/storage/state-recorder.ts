// Encodes state as records for one file: numbers the sessions, and writes each message before the first
// delivery in that file which refers to it. Numbering is shared by all files.

import type { Message, StoredMark } from '../broker/message/message.ts';
import type {
  DeliveryRecord,
  SessionRecord,
  StateWriter,
  SubscriptionRecord,
} from '../broker/ports.ts';
import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { RegisterRecord, RegisterWriter } from '../replica/register-store.ts';
import type { LogRange } from '../replica/repair-port.ts';
import type { BlockBuilder } from './block-builder.ts';

/** Assigns session numbers and message ids, each of them only once. */
export class Numbering {
  readonly #sessions = new Map<string, number>();
  #lastNumber: number;
  #lastMessageId: number;

  constructor(lastNumber: number, lastMessageId: number) {
    this.#lastNumber = lastNumber;
    this.#lastMessageId = lastMessageId;
  }

  /** Enters the number that an earlier run assigned. */
  restore(clientId: string, number: number): void {
    this.#sessions.set(clientId, number);
  }

  find(clientId: string): number | undefined {
    return this.#sessions.get(clientId);
  }

  findOrAssign(clientId: string): number {
    let number = this.#sessions.get(clientId);
    if (number === undefined) {
      this.#lastNumber += 1;
      number = this.#lastNumber;
      this.#sessions.set(clientId, number);
    }
    return number;
  }

  /** @returns the number that the session had */
  remove(clientId: string): number | undefined {
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

/** How log and snapshot differ: which sessions and messages the file contains already. */
export interface RecordScope {
  /** Number of the session in this file; undefined if the file does not contain it. */
  sessionNumber(clientId: string): number | undefined;
  /** Marks the message as contained in this file. @returns false if it was marked before */
  addMessage(mark: StoredMark): boolean;
}

export class StateRecorder implements StateWriter, RegisterWriter {
  readonly #numbering: Numbering;
  readonly #builder: BlockBuilder;
  readonly #scope: RecordScope;

  constructor(numbering: Numbering, builder: BlockBuilder, scope: RecordScope) {
    this.#numbering = numbering;
    this.#builder = builder;
    this.#scope = scope;
  }

  saveSession(session: SessionRecord): void {
    const number = this.#numbering.findOrAssign(session.clientId);
    this.#builder.records.session(number, session);
  }

  saveSubscription(clientId: string, subscription: SubscriptionRecord): void {
    const number = this.#scope.sessionNumber(clientId);
    if (number !== undefined) this.#builder.records.subscription(number, subscription);
  }

  saveDelivery(clientId: string, delivery: DeliveryRecord): void {
    const number = this.#scope.sessionNumber(clientId);
    if (number === undefined) return;
    const mark = this.#numbering.mark(delivery.message);
    const { records } = this.#builder;
    if (this.#scope.addMessage(mark)) records.message(mark.id, delivery.message);
    records.delivery(number, mark.id, delivery);
  }

  saveReceived(clientId: string, packetId: number): void {
    const number = this.#scope.sessionNumber(clientId);
    if (number !== undefined) this.#builder.records.received(number, packetId);
  }

  saveRetained(message: Message): void {
    this.#builder.records.retained(message);
  }

  saveWill(clientId: string, will: WillPacket, publishAt: number): void {
    const number = this.#scope.sessionNumber(clientId);
    if (number !== undefined) this.#builder.records.will(number, will, publishAt);
  }

  saveRegister(register: RegisterRecord): void {
    this.#builder.records.register(register);
  }

  saveKnown(range: LogRange): void {
    this.#builder.records.known(range);
  }
}
