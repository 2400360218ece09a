// Restores the state that a store found when it opened into a broker without clients: sessions with
// their subscriptions, deliveries, QoS 2 receipts, expiries and wills, and the retained messages.

import { isSharedFilter, parseSharedFilter } from '../../mqtt/topic.ts';
import { isExpired, type Message } from '../message/message.ts';
import type { StoredSession, StoredState, SubscriptionRecord } from '../ports.ts';
import type { RetainedStore } from '../retained/retained-store.ts';
import type { Session } from './session.ts';
import type { SessionsContext } from './session-context.ts';
import type { SessionRegistry } from './session-registry.ts';
import { restoreWill } from './wills.ts';

export interface ImportContext extends SessionsContext {
  readonly sessions: SessionRegistry;
  readonly retained: RetainedStore;
}

export function importState(context: ImportContext, state: StoredState): void {
  for (const stored of state.sessions) importSession(context, stored);
  for (const message of state.retained) importRetained(context, message);
}

function importRetained(context: ImportContext, message: Message): void {
  const { accounts, retained, stats, bounds, budget, log } = context;
  if (isExpired(message, budget.now)) return;
  const username = message.publisher?.username;
  const payer = username === undefined ? undefined : accounts.find(username, '');
  // A limit may have been lowered since, or the state of an older version takes more than it allows.
  const bound = retained.restore(message, payer);
  if (bound === undefined) return;
  stats.retainedRefused += 1;
  const count = bounds.admit('retained after the start', bound, budget.now);
  const { name: topic } = message.topic;
  if (count > 0)
    log.warn('retained message not restored: the store is full', { topic, bound, count });
}

export function importSession(context: ImportContext, stored: StoredSession): void {
  const session = context.sessions.restore(stored);
  for (const record of stored.subscriptions) importSubscription(context, session, record);
  session.outbound.restoreDeliveries(stored.deliveries);
  session.restoreReceived(stored.received);
  const { will } = stored;
  if (will !== undefined) restoreWill(context, session, will.packet, will.publishAt);
}

function importSubscription(
  { sessions, tree, log, store }: ImportContext,
  session: Session,
  record: SubscriptionRecord,
): void {
  const { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier } = record;
  const identifiers = subscriptionIdentifier > 0 ? [subscriptionIdentifier] : [];
  const subscriber = session.outbound;
  const subscription = { subscriber, filter, qos, noLocal, retainAsPublished, identifiers };
  const shared = isSharedFilter(filter) ? parseSharedFilter(filter) : undefined;
  const parsed = shared ?? { filter, group: undefined };
  const bound = tree.clientBoundFor(parsed.filter, parsed.group, subscriber.account);
  if (bound !== undefined) {
    // Only an older version can have granted it: it would keep what all clients share from the others.
    const fields = { client: session.clientId, topic: filter, bound };
    log.warn('subscription not restored: a bound is reached', fields);
    store.removeSubscription(session.clientId, filter);
    return;
  }
  sessions.restoreSubscription(session, { subscription, ...parsed });
}
