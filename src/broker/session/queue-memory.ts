// The memory of all messages that wait or are in flight on this node. Each session has bounds of its
// own; -queue-memory bounds all of them together.
// Invariant: a delivery counts from when it is queued or sent until it is done, and a message that many
// sessions share counts once.

import { type Accounts, type ClientAccount, isOverShare, NAMELESS_SHARE } from '../accounts.ts';
import {
  contentBytes,
  DELIVERY_BYTES,
  MESSAGE_BYTES,
  TOPIC_BYTES,
  topicBytes,
} from '../memory-costs.ts';
import { BorrowedPayloads } from '../message/borrowed-payloads.ts';
import { type Message, payloadBytesOf, type Topic } from '../message/message.ts';
import type { Delivery } from './delivery.ts';

export interface QueueLimits {
  readonly queueMemoryBytesMax: number;
}

/** Below this part of a bound no user is over its share. */
const EASY_PART = 0.7;
/** A message of this size may always be in flight to a client that has acknowledged all others. */
const SMALL_BYTES = 4096;

export class QueueMemory {
  bytes = 0;
  /** Messages that wait, and those that have waited and are in flight: one for each of their clients. */
  deliveries = 0;
  /** Deliveries that found no room, here or in a queue of their own. */
  refused = 0;
  readonly #borrowed = new BorrowedPayloads();
  readonly #limits: QueueLimits;
  readonly #accounts: Accounts;

  constructor(limits: QueueLimits, accounts: Accounts) {
    this.#limits = limits;
    this.#accounts = accounts;
  }

  /**
   * As boundFor(), for a message that can be sent at once: it needs no share of the queues, so that full
   * queues of absent clients do not cut off those that are connected.
   */
  boundInFlight(message: Message, { user }: ClientAccount, inflight: number): string | undefined {
    const cost = costOf(message);
    const isFull = this.bytes + cost > this.#limits.queueMemoryBytesMax;
    const bound = isFull ? '-queue-memory' : this.#accounts.boundFor(user, cost);
    return inflight === 0 && cost <= SMALL_BYTES ? undefined : bound;
  }

  /** The bound that one more delivery of the message to this client would exceed, in words. */
  boundFor(message: Message, { user }: ClientAccount): string | undefined {
    const { queueMemoryBytesMax } = this.#limits;
    const cost = costOf(message);
    const used = this.bytes + cost;
    if (used > queueMemoryBytesMax) return '-queue-memory';
    const isEasy = used < queueMemoryBytesMax * EASY_PART;
    if (!isEasy && isOverShare(user.queueBytes, this.bytes, queueMemoryBytesMax)) {
      return "-queue-memory (the user's share)";
    }
    const own = this.#accounts.nameless.queueBytes;
    const isNamelessOver =
      !isEasy && this.#accounts.isOverNamelessShare(user, own, this.bytes, queueMemoryBytesMax);
    if (isNamelessOver) return `-queue-memory ${NAMELESS_SHARE}`;
    return this.#accounts.boundFor(user, cost);
  }

  /** @param client pays for the delivery and, if it is the first to hold them, for message and topic */
  add(delivery: Delivery, client: ClientAccount): void {
    if (delivery.isCounted) return;
    const { message } = delivery;
    delivery.isCounted = true;
    if (delivery.hasWaited) this.deliveries += 1;
    let bytes = DELIVERY_BYTES;
    if (message.holders === 0) bytes += this.#hold(message, client);
    message.holders += 1;
    this.#charge(client, bytes);
  }

  /** @returns what the client pays for the message */
  #hold(message: Message, client: ClientAccount): number {
    const { topic } = message;
    message.payer = client;
    this.#borrowed.add(message);
    topic.holders += 1;
    if (topic.holders > 1) return messageCost(message);
    topic.payer = client;
    return messageCost(message) + topicCost(topic);
  }

  /** @param client as for add() */
  remove(delivery: Delivery, client: ClientAccount): void {
    if (!delivery.isCounted) return;
    const { message } = delivery;
    delivery.isCounted = false;
    if (delivery.hasWaited) this.deliveries -= 1;
    this.#charge(client, -DELIVERY_BYTES);
    message.holders -= 1;
    if (message.holders > 0) return;
    this.#borrowed.remove(message);
    const { topic } = message;
    if (message.payer !== undefined) this.#charge(message.payer, -messageCost(message));
    message.payer = undefined;
    topic.holders -= 1;
    if (topic.holders > 0) return;
    if (topic.payer !== undefined) this.#charge(topic.payer, -topicCost(topic));
    topic.payer = undefined;
  }

  /** Gives the message a payload of its own, for a program that may keep it. */
  ownPayload(message: Message): void {
    this.#borrowed.end(message);
  }

  #charge(client: ClientAccount, bytes: number): void {
    this.bytes += bytes;
    client.queueBytes += bytes;
    const { user } = client;
    user.queueBytes += bytes;
    if (user.group !== undefined) user.group.queueBytes += bytes;
    this.#accounts.charge(client, bytes);
  }
}

/** Memory that one more delivery of the message takes. */
function costOf(message: Message): number {
  if (message.holders > 0) return DELIVERY_BYTES;
  const { topic } = message;
  const cost = DELIVERY_BYTES + messageCost(message);
  return topic.holders > 0 ? cost : cost + topicCost(topic);
}

function messageCost(message: Message): number {
  return MESSAGE_BYTES + contentBytes(payloadBytesOf(message), message.properties);
}

function topicCost(topic: Topic): number {
  return TOPIC_BYTES + topicBytes(topic);
}
