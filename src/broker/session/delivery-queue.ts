// A first-in first-out queue of deliveries that is cheap at any length and counts its bytes.

import { messageBytes } from '../message/message.ts';
import type { Delivery } from './delivery.ts';

const COMPACT_AFTER = 64;
const NEVER = Number.POSITIVE_INFINITY;

export class DeliveryQueue {
  #items: Delivery[] = [];
  #head = 0;
  #bytes = 0;
  /** Messages with QoS 0, and messages of Shared Subscriptions: mostly there are none to look for. */
  qos0Count = 0;
  sharedCount = 0;
  /** No message expires before; known again after a look through the queue. */
  #expiry = NEVER;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(delivery: Delivery): void {
    this.#items.push(delivery);
    this.#expiry = Math.min(this.#expiry, delivery.message.expiresAt);
    this.#count(delivery, 1);
  }

  /** The next delivery, without taking it. */
  peek(): Delivery | undefined {
    return this.#items[this.#head];
  }

  shift(): Delivery | undefined {
    const delivery = this.#items[this.#head];
    if (delivery === undefined) return undefined;
    this.#head += 1;
    this.#count(delivery, -1);
    if (this.#head > COMPACT_AFTER && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return delivery;
  }

  /** Time at which a message may have expired, milliseconds; Infinity if none can. */
  get nextExpiry(): number {
    return this.#expiry;
  }

  toArray(): Delivery[] {
    return this.#items.slice(this.#head);
  }

  /** Takes out the first `max` deliveries that are wanted; the others keep their order. */
  extract(wanted: (delivery: Delivery) => boolean, max = Number.POSITIVE_INFINITY): Delivery[] {
    const taken: Delivery[] = [];
    const kept: Delivery[] = [];
    let next = this.#head;
    for (; next < this.#items.length && taken.length < max; next++) {
      const delivery = this.#items[next]!;
      (wanted(delivery) ? taken : kept).push(delivery);
    }
    this.#items = kept.concat(this.#items.slice(next));
    this.#head = 0;
    this.#expiry = this.#items.reduce((at, { message }) => Math.min(at, message.expiresAt), NEVER);
    for (const delivery of taken) this.#count(delivery, -1);
    return taken;
  }

  #count({ message, qos, group }: Delivery, sign: 1 | -1): void {
    this.#bytes += sign * messageBytes(message);
    if (qos === 0) this.qos0Count += sign;
    if (group !== undefined) this.sharedCount += sign;
  }
}
