// Puts what a store found at its start back into a broker that has no clients yet: sessions with
// their subscriptions, what is owed to them, QoS 2 receipts, expiries and wills, and the
// retained messages.

import { isSharedFilter, parseSharedFilter } from '../../mqtt/topic.ts';
import type { Broker } from '../broker.ts';
import { isExpired } from '../message/message.ts';
import type { StoredSession, StoredState, SubscriptionRecord } from '../ports.ts';
import type { Session } from './session.ts';
import { restoreWill } from './wills.ts';

export function importState(broker: Broker, state: StoredState): void {
  for (const stored of state.sessions) restoreSession(broker, stored);
  for (const message of state.retained) {
    // Beyond a limit that was lowered meanwhile: left out, as a new one would be.
    if (!isExpired(message, broker.now)) broker.retained.set(message);
  }
}

function restoreSession(broker: Broker, stored: StoredSession): void {
  const session = broker.restoreSession(stored);
  for (const record of stored.subscriptions) restoreSubscription(broker, session, record);
  session.restoreDeliveries(stored.deliveries);
  session.restoreReceived(stored.received);
  const { will } = stored;
  if (will === undefined) return;
  restoreWill(broker, session, will.packet, will.publishAt);
}

function restoreSubscription(broker: Broker, session: Session, record: SubscriptionRecord): void {
  const { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier } = record;
  const identifiers = subscriptionIdentifier > 0 ? [subscriptionIdentifier] : [];
  const subscription = { session, filter, qos, noLocal, retainAsPublished, identifiers };
  const shared = isSharedFilter(filter) ? parseSharedFilter(filter) : undefined;
  const parsed = shared ?? { filter, group: undefined };
  session.subscriptions.set(filter, { subscription, ...parsed });
  broker.tree.add(parsed.filter, subscription, parsed.group);
}
