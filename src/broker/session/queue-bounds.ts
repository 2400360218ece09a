// The bounds of what may wait for a client: of its own queue, of all queues, and its user's share of these.
// Decides which bound is reached; outbound.ts then drops the newest or the oldest message.

import { isOverShare, type UserAccount } from '../accounts.ts';
import { identityFields } from '../log-fields.ts';
import { type Message, messageBytes } from '../message/message.ts';
import type { Identity } from '../ports.ts';
import type { QueueLimits } from './bridge-rules.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type { SessionContext } from './session-context.ts';

/** The option whose bound one more queued message would exceed. */
export function boundFor(
  message: Message,
  queue: DeliveryQueue,
  { queueMessagesMax, queueBytesMax }: QueueLimits,
  { options, queueMemory }: SessionContext,
  user: UserAccount,
): string | undefined {
  if (queue.length >= queueMessagesMax) return '-max-queued-messages';
  if (queue.bytes + messageBytes(message) > queueBytesMax) return '-max-queued-bytes';
  const bound = options.queueMemoryBytesMax;
  if (queueMemory.bytes + queueMemory.costOf(message) > bound) return '-queue-memory';
  const isOver = isOverShare(user.queueBytes, queueMemory.bytes, bound);
  return isOver ? "-queue-memory (the user's share)" : undefined;
}

export function logDrop(
  { stats, limiter, budget, log }: SessionContext,
  identity: Identity,
  bound: string,
  drops: QueueLimits['queueDrop'],
): void {
  stats.publishDropped += 1;
  const count = limiter.admit(`queue ${bound}`, budget.now);
  if (count === 0) return;
  log.warn('messages dropped: a queue is full', {
    ...identityFields(identity),
    bound,
    drops,
    count,
  });
}
