// Hands messages of Shared Subscriptions over to other members when a client disconnects or its
// session ends (MQTT 5.0 4.8.2). Runs in turns, because a queue may hold very many messages.

import { isExpired } from '../message/message.ts';
import { Price } from '../prices.ts';
import type { SharedGroup } from '../routing/shared-group.ts';
import type { Session } from './session.ts';
import type { SessionsContext } from './session-context.ts';

/** Messages of one step: each may have to be offered to very many members. */
const MESSAGES_PER_STEP = 16;

/**
 * Yields the price of each step.
 * @param ending the session has ended; otherwise its client is only offline, and the walk stops as
 *   soon as the client is back
 */
export function* handOver(
  { router, budget, stats }: SessionsContext,
  session: Session,
  ending: boolean,
): Generator<number> {
  const { outbound } = session;
  if (outbound.queued === 0 && outbound.inflight === 0) return;
  const known = new Map<SharedGroup, boolean>();
  const hasOther = (group: SharedGroup): boolean => {
    const found = known.get(group) ?? (ending ? group.size > 0 : group.hasOnline(outbound));
    known.set(group, found);
    return found;
  };
  while (ending || !session.online) {
    const deliveries = outbound.takeShared(ending, hasOther, MESSAGES_PER_STEP);
    if (deliveries.length === 0) return;
    let work = outbound.queued;
    for (const { message, group } of deliveries) {
      work += Price.message;
      // Its delivery to another client has not begun [MQTT5-3.3.2-5].
      if (isExpired(message, budget.now)) {
        stats.publishExpired += 1;
        continue;
      }
      const { name } = message.topic;
      const member = group?.pick((other) => router.mayReceive(other, name), outbound);
      if (member !== undefined) router.deliverMessage(message, member, group);
      work += group?.steps ?? 0;
    }
    yield work;
  }
}
