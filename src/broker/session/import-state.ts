// Restores the state that a store found when it opened into a broker without clients: sessions with
// their subscriptions, deliveries, QoS 2 receipts, expiries and wills, and the retained messages.

import { isSharedFilter, parseSharedFilter } from '../../mqtt/topic.ts';
import { isExpired } from '../message/message.ts';
import type { StoredSession, StoredState, SubscriptionRecord } from '../ports.ts';
import type { RetainedStore } from '../retained/retained-store.ts';
import type { Session } from './session.ts';
import type { SessionsContext } from './session-context.ts';
import type { SessionRegistry } from './session-registry.ts';
import { restoreWill } from './wills.ts';

interface ImportContext extends SessionsContext {
  readonly sessions: SessionRegistry;
  readonly retained: RetainedStore;
}

export function importState(context: ImportContext, state: StoredState): void {
  for (const stored of state.sessions) importSession(context, stored);
  for (const message of state.retained) {
    // A limit may have been lowered since: set() refuses what exceeds it, as for a new message.
    if (!isExpired(message, context.budget.now)) context.retained.set(message, undefined);
  }
}

function importSession(context: ImportContext, stored: StoredSession): void {
  const session = context.sessions.restore(stored);
  for (const record of stored.subscriptions) importSubscription(context, session, record);
  session.outbound.restoreDeliveries(stored.deliveries);
  session.restoreReceived(stored.received);
  const { will } = stored;
  if (will !== undefined) restoreWill(context, session, will.packet, will.publishAt);
}

function importSubscription(
  { sessions }: ImportContext,
  session: Session,
  record: SubscriptionRecord,
): void {
  const { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier } = record;
  const identifiers = subscriptionIdentifier > 0 ? [subscriptionIdentifier] : [];
  const subscriber = session.outbound;
  const subscription = { subscriber, filter, qos, noLocal, retainAsPublished, identifiers };
  const shared = isSharedFilter(filter) ? parseSharedFilter(filter) : undefined;
  const parsed = shared ?? { filter, group: undefined };
  sessions.restoreSubscription(session, { subscription, ...parsed });
}
