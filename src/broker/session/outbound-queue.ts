// The messages that wait for one client: admits them within the bounds of the session and of the node, and
// drops those that expire. outbound.ts takes them out and sends them.
// Invariant: an expired message leaves within a second of its deadline, and before another is refused.

import type { ClientAccount } from '../accounts.ts';
import type { Deadline } from '../deadline-queue.ts';
import { identityFields } from '../log-fields.ts';
import { isExpired, keepForLong, messageBytes } from '../message/message.ts';
import type { Identity } from '../ports.ts';
import type { QueueLimits } from './bridge-rules.ts';
import type { Delivery } from './delivery.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import type { SessionContext } from './session-context.ts';

/** Between two looks through a queue for expired messages, ms. */
const EXPIRY_INTERVAL_MS = 1000;

/** What the queue needs of its session. */
export interface QueueOwner {
  readonly identity: Identity;
  readonly account: ClientAccount;
  readonly online: boolean;
  readonly limits: QueueLimits;
  /** Messages that found the queue full. */
  dropped: number;
  /** A delivery has left the queue and is not sent. */
  finish(delivery: Delivery): void;
}

export class OutboundQueue extends DeliveryQueue {
  readonly #context: SessionContext;
  readonly #owner: QueueOwner;
  /** At which a message may have expired. */
  #expiry: Deadline | undefined;

  constructor(context: SessionContext, owner: QueueOwner) {
    super();
    this.#context = context;
    this.#owner = owner;
  }

  /** Queues the delivery if there is room for it, or as `-queue-drop` makes room. @returns false if not */
  admit(delivery: Delivery): boolean {
    const { queueMemory } = this.#context;
    const { queueDrop } = this.#owner.limits;
    let bound = this.#boundFor(delivery);
    if (bound !== undefined && this.#dropExpired() > 0) bound = this.#boundFor(delivery);
    while (bound !== undefined && queueDrop === 'oldest') {
      const oldest = this.shift();
      if (oldest === undefined) break;
      recordDrop(this.#context, this.#owner, bound);
      this.#owner.finish(oldest);
      bound = this.#boundFor(delivery);
    }
    if (bound !== undefined) {
      queueMemory.refused += 1;
      recordDrop(this.#context, this.#owner, bound);
      return false;
    }
    if (!this.#owner.online && delivery.message.holders === 0) keepForLong(delivery.message);
    this.restore(delivery);
    return true;
  }

  /** Queues a delivery that was admitted by an earlier run of the node. */
  restore(delivery: Delivery): void {
    delivery.hasWaited = true;
    this.push(delivery);
    this.#context.queueMemory.add(delivery, this.#owner.account);
    this.#awaitExpiry(delivery.message.expiresAt);
  }

  /** The session has ended: no deadline must come due. */
  end(): void {
    this.#context.deadlines.cancel(this.#expiry);
    this.#expiry = undefined;
  }

  /** The option whose bound one more message would exceed. */
  #boundFor({ message }: Delivery): string | undefined {
    const { queueMessagesMax, queueBytesMax } = this.#owner.limits;
    if (this.length >= queueMessagesMax) return '-max-queued-messages';
    if (this.bytes + messageBytes(message) > queueBytesMax) return '-max-queued-bytes';
    return this.#context.queueMemory.boundFor(message, this.#owner.account);
  }

  #awaitExpiry(at: number): void {
    const { deadlines, budget } = this.#context;
    if (at === Number.POSITIVE_INFINITY) return;
    if (this.#expiry !== undefined && this.#expiry.at <= at + EXPIRY_INTERVAL_MS) return;
    deadlines.cancel(this.#expiry);
    this.#expiry = deadlines.schedule(Math.max(at, budget.now + EXPIRY_INTERVAL_MS), () => {
      this.#expiry = undefined;
      this.#dropExpired();
      this.#awaitExpiry(this.nextExpiry);
    });
  }

  /** @returns how many messages had expired */
  #dropExpired(): number {
    const { stats, budget } = this.#context;
    if (this.nextExpiry > budget.now) return 0;
    const expired = this.extract(({ message }) => isExpired(message, budget.now));
    stats.publishExpired += expired.length;
    for (const delivery of expired) this.#owner.finish(delivery);
    return expired.length;
  }
}

/** Counts a message that a client does not get, and logs it. */
export function recordDrop(
  { stats, bounds, budget, log }: SessionContext,
  owner: QueueOwner,
  bound: string,
): void {
  stats.publishDropped += 1;
  owner.dropped += 1;
  const count = bounds.admit('queue', bound, budget.now);
  if (count === 0) return;
  const drops = owner.limits.queueDrop;
  const fields = { ...identityFields(owner.identity), bound, drops, count };
  log.warn('messages dropped: a queue is full', fields);
}
