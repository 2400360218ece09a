// Writes the whole state of a broker, piece by piece, to a StateWriter: the content of a snapshot.
// The broker continues between two pieces. Each piece has the state of its moment; the store records
// later changes in its log as usual.

import { isSysTopic } from '../../mqtt/topic.ts';
import { isExpired } from '../message/message.ts';
import type { SessionRecord, StateWriter, SubscriptionRecord } from '../ports.ts';
import type { RetainedStore } from '../retained/retained-store.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { Session } from './session.ts';
import type { Will } from './wills.ts';

/** Each step writes one piece. @param now drops messages that have expired by then */
export function* exportState(
  sessions: Iterable<Session>,
  retained: RetainedStore,
  writer: StateWriter,
  now: number,
): Generator<void, void> {
  for (const session of sessions) {
    if (session.isInStore) yield* exportSession(session, writer);
  }
  for (const message of retained.all()) {
    if (isSysTopic(message.topic.name) || isExpired(message, now)) continue;
    writer.saveRetained(message);
    yield;
  }
}

function* exportSession(session: Session, writer: StateWriter): Generator<void, void> {
  const { clientId, will } = session;
  writer.saveSession(sessionRecord(session));
  if (will !== undefined) writer.saveWill(clientId, will.packet, publishTime(will));
  for (const packetId of session.received()) writer.saveReceived(clientId, packetId);
  yield;
  if (session.isPersistent) yield* exportContent(session, writer);
}

function* exportContent(session: Session, writer: StateWriter): Generator<void, void> {
  const { clientId } = session;
  for (const { subscription } of session.subscriptions.values()) {
    writer.saveSubscription(clientId, subscriptionRecord(subscription));
    yield;
  }
  for (const delivery of session.outbound.deliveries()) {
    writer.saveDelivery(clientId, delivery);
    yield;
  }
}

/** Writes a session for another node, or into the store of the node that it has moved to: all but its will. */
export function exportMoving(session: Session, writer: StateWriter): void {
  writer.saveSession({ ...sessionRecord(session), expiresAt: Number.POSITIVE_INFINITY });
  for (const packetId of session.received()) writer.saveReceived(session.clientId, packetId);
  for (const _ of exportContent(session, writer));
}

export function sessionRecord(session: Session): SessionRecord {
  const { clientId, expirySeconds, identity, expiryDeadline } = session;
  const expiresAt = session.online
    ? Number.POSITIVE_INFINITY
    : (expiryDeadline?.at ?? Number.POSITIVE_INFINITY);
  const { address } = session.outbound.account.user;
  return { clientId, username: identity.username, address, expirySeconds, expiresAt };
}

/** Infinity while the client is connected. */
function publishTime({ deadline }: Will): number {
  return deadline?.at ?? Number.POSITIVE_INFINITY;
}

export function subscriptionRecord(subscription: Subscription): SubscriptionRecord {
  const { filter, qos, noLocal, retainAsPublished, identifiers } = subscription;
  return { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier: identifiers[0] ?? 0 };
}
