// The memory of all queued messages, and of large ones in flight, on this node. Each session has
// bounds of its own; -queue-memory bounds all of them together.
// Invariant: a delivery counts from when it is queued, or sent if it is large, until it is done, and
// a message that many sessions share counts once.

import type { UserAccount } from '../accounts.ts';
import { type Message, messageBytes } from '../message/message.ts';
import type { Delivery } from './delivery.ts';

/** Measured on the heap: a delivery with its place in the queue; a message without its bytes. */
const DELIVERY_BYTES = 150;
const MESSAGE_BYTES = 200;

export class QueueMemory {
  bytes = 0;
  /** Counted deliveries: a message that waits for several clients counts for each of them. */
  deliveries = 0;

  /** Bytes that one more delivery of the message takes. */
  costOf(message: Message): number {
    return DELIVERY_BYTES + (message.holders === 0 ? MESSAGE_BYTES + messageBytes(message) : 0);
  }

  /** @param user pays for the delivery and, if it is the first to hold it, for the message */
  add(delivery: Delivery, user: UserAccount): void {
    if (delivery.isCounted) return;
    const { message } = delivery;
    delivery.isCounted = true;
    this.deliveries += 1;
    this.#charge(user, DELIVERY_BYTES);
    if (message.holders === 0) {
      message.payer = user;
      this.#charge(user, MESSAGE_BYTES + messageBytes(message));
    }
    message.holders += 1;
  }

  /** @param user as for add() */
  remove(delivery: Delivery, user: UserAccount): void {
    if (!delivery.isCounted) return;
    const { message } = delivery;
    delivery.isCounted = false;
    this.deliveries -= 1;
    this.#charge(user, -DELIVERY_BYTES);
    message.holders -= 1;
    if (message.holders > 0 || message.payer === undefined) return;
    this.#charge(message.payer, -MESSAGE_BYTES - messageBytes(message));
    message.payer = undefined;
  }

  #charge(user: UserAccount, bytes: number): void {
    this.bytes += bytes;
    user.queueBytes += bytes;
  }
}
