// What all messages that wait for clients, and large ones in flight, take of the node's memory.
// Each session has its own bounds; this is the one for all of them together.
// Invariant: a delivery is counted from when it is queued, or sent if it is large, until it is
// finished, and a message that many sessions share counts once.

import { type Message, messageBytes } from '../message/message.ts';
import type { Delivery } from './delivery.ts';

/** Of the heap, measured: a delivery with its place in the queue, a message beside its bytes. */
const DELIVERY_BYTES = 150;
const MESSAGE_BYTES = 200;

export class QueueMemory {
  bytes = 0;
  /** Messages that wait; one that waits for several clients counts for each of them. */
  deliveries = 0;

  /** What it takes if one more session keeps the message. */
  costOf(message: Message): number {
    return DELIVERY_BYTES + (message.holders === 0 ? MESSAGE_BYTES + messageBytes(message) : 0);
  }

  add(delivery: Delivery): void {
    if (delivery.counted) return;
    const { message } = delivery;
    delivery.counted = true;
    this.deliveries += 1;
    this.bytes += this.costOf(message);
    message.holders += 1;
  }

  remove(delivery: Delivery): void {
    if (!delivery.counted) return;
    const { message } = delivery;
    delivery.counted = false;
    this.deliveries -= 1;
    message.holders -= 1;
    this.bytes -= this.costOf(message);
  }
}
