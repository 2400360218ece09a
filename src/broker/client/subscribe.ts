// SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 3.8 to 3.11): checks each Topic Filter, changes tree and
// session, answers, then starts the retained messages.
// Invariant: the answer leaves after the store has made the changes durable.

import type {
  SubscribePacket,
  SubscriptionRequest,
  UnsubscribePacket,
} from '../../mqtt/control-decoder.ts';
import { encodeSuback, encodeUnsuback } from '../../mqtt/control-encoder.ts';
import { ProtocolError, protocolFault } from '../../mqtt/protocol-fault.ts';
import type { QoS } from '../../mqtt/publish-view.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import {
  isSharedFilter,
  isSysTopic,
  isTopicFilter,
  isWildcard,
  parseSharedFilter,
} from '../../mqtt/topic.ts';
import type { BrokerContext } from '../context.ts';
import { identityFields } from '../log-fields.ts';
import { filterCheckPrice, filterPrice } from '../prices.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { HeldSubscription, Session } from '../session/session.ts';
import type { Client } from './client.ts';
import { recordDenial } from './denial.ts';

/** [MQTT3-4.8.0-1] [MQTT5-4.13.1-1] a filter that breaks 4.7 (MQTT 5: or 4.8.2) ends the connection. */
const ILL_FORMED_FILTER = protocolFault(
  'a Topic Filter with a misplaced wildcard or an empty part',
);
const NO_LOCAL_SHARED = protocolFault('No Local on a Shared Subscription');
/** The only failure that SUBACK has before MQTT 5. */
const FAILURE_BEFORE_5 = 0x80;

export interface ParsedFilter {
  /** Without `$share/{ShareName}/`. */
  readonly filter: string;
  readonly group: string | undefined;
}

export function handleSubscribe(
  context: BrokerContext,
  client: Client,
  packet: SubscribePacket,
): void {
  const { budget, retained } = context;
  const feeds: Subscription[] = [];
  const granted: number[] = [];
  const { packetId, subscriptions, subscriptionIdentifier } = packet;
  const handle = (request: SubscriptionRequest): void => {
    budget.spend(filterPrice(request.filter));
    const result = subscribe(context, client, request, subscriptionIdentifier, feeds);
    granted.push(client.version === 5 || result <= 2 ? result : FAILURE_BEFORE_5);
  };
  const finish = (): void => {
    answer(context, client, encodeSuback(client.version, packetId, granted));
    for (const subscription of feeds) {
      client.feeds.add(subscription, retained.match(subscription.filter, budget.now));
    }
    if (feeds.length > 0) client.pump();
  };
  const filters = subscriptions.map(({ filter }) => filter);
  checkFilters(context, client, filters, () => client.inTurns(subscriptions, handle, finish));
}

/** All filters of a packet before the first takes effect: an ill-formed one ends the connection. */
function checkFilters(
  { budget }: BrokerContext,
  client: Client,
  filters: readonly string[],
  done: () => void,
): void {
  const check = (filter: string): void => {
    budget.spend(filterCheckPrice(filter));
    // MQTT 3 has no Shared Subscriptions: there `$share/x` is an ordinary filter, which SUBACK refuses.
    const isShared = client.version === 5 && isSharedFilter(filter);
    const isValid = isShared ? parseSharedFilter(filter) !== undefined : isTopicFilter(filter);
    if (!isValid) throw new ProtocolError(ILL_FORMED_FILTER);
  };
  client.inTurns(filters, check, done);
}

/** @returns the granted QoS, or the Reason Code of the refusal */
function subscribe(
  context: BrokerContext,
  client: Client,
  request: SubscriptionRequest,
  identifier: number,
  feeds: Subscription[],
): number {
  const { options, tree, authorizer, store, sessions } = context;
  const session = client.session!;
  const parsed = parseFilter(options, request);
  if (typeof parsed === 'number') return parsed;
  if (identifier > 0 && !options.subscriptionIdentifiersAvailable) {
    return ReasonCode.subscriptionIdentifiersNotSupported;
  }
  const existing = session.subscriptions.get(request.filter);
  if (existing === undefined) {
    const isFull = session.subscriptions.size >= options.subscriptionsPerClientMax;
    const { account } = session.outbound;
    const bound = isFull
      ? '-max-subscriptions'
      : tree.boundFor(parsed.filter, parsed.group, account);
    if (bound !== undefined) return refuseForBound(context, session, request.filter, bound);
  }
  const refusal = authorizer.subscriptionRefusal(session.identity, parsed.filter);
  if (refusal !== 0) {
    recordDenial(context, session.identity, 'subscribe', request.filter);
    return refusal;
  }
  const qos = Math.min(request.qos, client.listener.maximumQos ?? options.maximumQos) as QoS;
  const subscription: Subscription = {
    subscriber: session.outbound,
    filter: request.filter,
    qos,
    noLocal: request.noLocal || client.bridge,
    retainAsPublished: request.retainAsPublished || client.bridge,
    identifiers: identifier > 0 ? [identifier] : [],
  };
  if (existing === undefined || !isSame(existing.subscription, subscription)) {
    // The store keeps no message of $SYS, so this subscription promises nothing durable.
    if (session.isPersistent && !isSysTopic(parsed.filter)) {
      if (!store.accepting) return refuseForStore(context, session, request.filter);
      session.changes += 1;
    }
    sessions.addSubscription(session, { subscription, ...parsed });
  }
  context.events?.subscribed(session.identity, request.filter, qos);
  const wanted = request.retainHandling === 0 || (request.retainHandling === 1 && !existing);
  if (wanted && parsed.group === undefined && options.retainAvailable) feeds.push(subscription);
  return qos;
}

/** Clients often repeat their subscriptions after a reconnect: the store need not record these. */
function isSame(a: Subscription, b: Subscription): boolean {
  return (
    a.qos === b.qos &&
    a.noLocal === b.noLocal &&
    a.retainAsPublished === b.retainAsPublished &&
    a.identifiers[0] === b.identifiers[0]
  );
}

function refuseForBound(
  { stats, bounds, budget, log }: BrokerContext,
  { identity }: Session,
  topic: string,
  bound: string,
): number {
  stats.subscriptionsRefused += 1;
  const count = bounds.admit('subscribe', bound, budget.now);
  if (count > 0) {
    const fields = { ...identityFields(identity), topic, bound, count };
    log.warn('subscribe refused: a bound is reached', fields);
  }
  return ReasonCode.quotaExceeded;
}

function refuseForStore(
  { stats, limiter, budget, log }: BrokerContext,
  { identity }: Session,
  topic: string,
): number {
  stats.subscriptionsRefused += 1;
  const count = limiter.admit('subscribe store', budget.now);
  if (count > 0) {
    const fields = { ...identityFields(identity), topic, count };
    log.warn('subscribe refused: the disk takes no changes', fields);
  }
  return ReasonCode.quotaExceeded;
}

/** @returns the Reason Code of the refusal for a filter that the options do not allow */
export function parseFilter(
  options: BrokerContext['options'],
  request: Pick<SubscriptionRequest, 'filter' | 'noLocal'>,
): ParsedFilter | number {
  const text = request.filter;
  let parsed: ParsedFilter = { filter: text, group: undefined };
  if (isSharedFilter(text)) {
    if (!options.sharedAvailable) return ReasonCode.sharedSubscriptionsNotSupported;
    if (request.noLocal) throw new ProtocolError(NO_LOCAL_SHARED);
    const shared = parseSharedFilter(text);
    if (shared === undefined) return ReasonCode.topicFilterInvalid;
    parsed = shared;
  }
  if (!options.wildcardAvailable && isWildcard(parsed.filter)) {
    return ReasonCode.wildcardSubscriptionsNotSupported;
  }
  const tooLong = Buffer.byteLength(text) > options.topicBytesMax;
  if (tooLong || text.split('/').length > options.topicLevelsMax) {
    return ReasonCode.topicFilterInvalid;
  }
  return parsed;
}

export function handleUnsubscribe(
  context: BrokerContext,
  client: Client,
  packet: UnsubscribePacket,
): void {
  const reasonCodes: number[] = [];
  const handle = (filter: string): void => {
    context.budget.spend(filterPrice(filter));
    reasonCodes.push(unsubscribe(context, client, filter));
  };
  const finish = (): void => {
    answer(context, client, encodeUnsuback(client.version, packet.packetId, reasonCodes));
  };
  checkFilters(context, client, packet.filters, () =>
    client.inTurns(packet.filters, handle, finish),
  );
}

function unsubscribe({ sessions, events }: BrokerContext, client: Client, filter: string): number {
  const session = client.session!;
  const held: HeldSubscription | undefined = session.subscriptions.get(filter);
  if (held === undefined) return ReasonCode.noSubscriptionExisted;
  sessions.removeSubscription(session, held);
  session.changes += 1;
  client.feeds.remove(filter);
  events?.unsubscribed(session.identity, filter);
  return ReasonCode.success;
}

/** Sends SUBACK or UNSUBACK once the changes of a persistent session are durable. */
function answer({ store, budget }: BrokerContext, client: Client, packet: Buffer): void {
  const session = client.session!;
  const { changes, isPersistent } = session;
  if (!isPersistent || changes === session.durableChanges) {
    client.sendControl(packet);
    return;
  }
  const send = (): void => {
    session.durableChanges = changes;
    client.sendControl(packet);
  };
  const state = store.whenDurable((now) => {
    budget.resume(now);
    send();
  });
  if (state === 'durable') send();
}
