// SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 3.8 to 3.11): checks each Topic Filter, changes the tree and
// the session, answers, then starts the retained messages.

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
  isReservedTopic,
  isSharedFilter,
  isTopicFilter,
  isWildcard,
  parseSharedFilter,
} from '../../mqtt/topic.ts';
import type { Broker } from '../broker.ts';
import type { Subscription } from '../routing/subscription-tree.ts';
import type { HeldSubscription, Session } from '../session/session.ts';
import type { Client } from './client.ts';

const NO_LOCAL_SHARED = protocolFault('No Local on a Shared Subscription');
const FAILURE_BEFORE_5 = 0x80;
/** What a Topic Filter costs, in deliveries: a level may have one character, or none. */
const FILTER_WORK = 200;
const CHARACTER_WORK = 20;

interface Parsed {
  readonly filter: string;
  readonly group: string | undefined;
}

export function handleSubscribe(broker: Broker, client: Client, packet: SubscribePacket): void {
  const session = client.session!;
  const feeds: Subscription[] = [];
  const granted: number[] = [];
  const { packetId, subscriptions, subscriptionIdentifier } = packet;
  const handle = (request: SubscriptionRequest): void => {
    broker.workLeft -= filterWork(request.filter);
    const result = subscribe(broker, client, session, request, subscriptionIdentifier, feeds);
    granted.push(client.version === 5 || result <= 2 ? result : FAILURE_BEFORE_5);
  };
  client.inTurns(subscriptions, handle, () => {
    answer(broker, client, encodeSuback(client.version, packetId, granted));
    for (const subscription of feeds) {
      client.feeds.add(subscription, broker.retained.match(subscription.filter, broker.now));
    }
    if (feeds.length > 0) client.pump();
  });
}

/** What it costs to add, find or remove the filter. */
export function filterWork(filter: string): number {
  return FILTER_WORK + CHARACTER_WORK * filter.length;
}

/** @returns the granted QoS or the Reason Code of the refusal */
function subscribe(
  broker: Broker,
  client: Client,
  session: Session,
  request: SubscriptionRequest,
  identifier: number,
  feeds: Subscription[],
): number {
  const parsed = parseFilter(broker, request);
  if (typeof parsed === 'number') return parsed;
  const { options } = broker;
  if (identifier > 0 && !options.subscriptionIdentifiersAvailable) {
    return ReasonCode.subscriptionIdentifiersNotSupported;
  }
  const existing = session.subscriptions.get(request.filter);
  const isFull =
    session.subscriptions.size >= options.subscriptionsPerClientMax ||
    !broker.tree.hasRoomFor(parsed.filter, parsed.group);
  if (existing === undefined && isFull) return ReasonCode.quotaExceeded;
  const refusal = broker.authorizer.subscriptionRefusal(session.identity, parsed.filter);
  if (refusal !== 0) {
    broker.stats.denied += 1;
    broker.denied(client, 'subscribe', request.filter);
    return refusal;
  }
  const qos = Math.min(request.qos, options.maximumQos) as QoS;
  const subscription: Subscription = {
    session,
    filter: request.filter,
    qos,
    noLocal: request.noLocal || client.bridge,
    retainAsPublished: request.retainAsPublished || client.bridge,
    identifiers: identifier > 0 ? [identifier] : [],
  };
  if (existing === undefined || !isSame(existing.subscription, subscription)) {
    // What comes from `$SYS` isn't kept, so nothing is promised before it is safe.
    if (session.saved && !isReservedTopic(parsed.filter)) {
      if (!broker.store.accepting) return refuseForRoom(broker, session, request.filter);
      session.changes += 1;
    }
    broker.addSubscription(session, { subscription, ...parsed });
  }
  const wanted = request.retainHandling === 0 || (request.retainHandling === 1 && !existing);
  if (wanted && parsed.group === undefined && options.retainAvailable) feeds.push(subscription);
  return qos;
}

/** Clients that come back subscribe anew to what they have: nothing of that is written again. */
function isSame(a: Subscription, b: Subscription): boolean {
  return (
    a.qos === b.qos &&
    a.noLocal === b.noLocal &&
    a.retainAsPublished === b.retainAsPublished &&
    a.identifiers[0] === b.identifiers[0]
  );
}

function refuseForRoom(broker: Broker, { identity }: Session, topic: string): number {
  const { clientId: client, username: user } = identity;
  broker.log.warn('subscribe refused: the disk takes no changes', { client, user, topic });
  return ReasonCode.quotaExceeded;
}

function parseFilter(broker: Broker, request: SubscriptionRequest): Parsed | number {
  const { options } = broker;
  const text = request.filter;
  let parsed: Parsed = { filter: text, group: undefined };
  if (isSharedFilter(text)) {
    const shared = parseSharedFilter(text);
    if (shared === undefined) return ReasonCode.topicFilterInvalid;
    if (!options.sharedAvailable) return ReasonCode.sharedSubscriptionsNotSupported;
    if (request.noLocal) throw new ProtocolError(NO_LOCAL_SHARED);
    parsed = shared;
  } else if (!isTopicFilter(text)) {
    return ReasonCode.topicFilterInvalid;
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

export function handleUnsubscribe(broker: Broker, client: Client, packet: UnsubscribePacket): void {
  const session = client.session!;
  const reasonCodes: number[] = [];
  const handle = (filter: string): void => {
    broker.workLeft -= filterWork(filter);
    reasonCodes.push(unsubscribe(broker, client, session, filter));
  };
  client.inTurns(packet.filters, handle, () => {
    answer(broker, client, encodeUnsuback(client.version, packet.packetId, reasonCodes));
  });
}

function unsubscribe(broker: Broker, client: Client, session: Session, filter: string): number {
  if (!isTopicFilter(filter)) return ReasonCode.topicFilterInvalid;
  const held: HeldSubscription | undefined = session.subscriptions.get(filter);
  if (held === undefined) return ReasonCode.noSubscriptionExisted;
  broker.removeSubscription(session, held);
  session.changes += 1;
  client.feeds.remove(filter);
  return ReasonCode.success;
}

/** The answer leaves when the changes that the session was promised to keep are safe. */
function answer(broker: Broker, client: Client, packet: Buffer): void {
  const session = client.session!;
  const { changes, saved } = session;
  if (!saved || changes === session.safeChanges) {
    client.sendControl(packet);
    return;
  }
  broker.store.whenDurable(() => {
    session.safeChanges = changes;
    client.sendControl(packet);
  });
}
