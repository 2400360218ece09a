// The whole state of a broker, told piece by piece to a StateWriter: what a store writes into a
// snapshot. The walk may pause between two pieces while the broker goes on: each piece is told as
// it is at that moment, and what changes meanwhile the store hears in the usual way.

import { isReservedTopic } from '../../mqtt/topic.ts';
import type { Broker } from '../broker.ts';
import type { SessionRecord, StateWriter, SubscriptionRecord } from '../ports.ts';
import type { Subscription } from '../routing/subscription-tree.ts';
import type { Session } from './session.ts';
import type { Will } from './wills.ts';

/** Tells one piece in each step. */
export function* exportState(broker: Broker, writer: StateWriter): Generator<void, void> {
  for (const session of broker.sessions()) {
    if (session.stored) yield* captureSession(session, writer);
  }
  for (const message of broker.retained.all()) {
    if (isReservedTopic(message.topic.name) || message.expiresAt <= broker.now) continue;
    writer.saveRetained(message);
    yield;
  }
}

function* captureSession(session: Session, writer: StateWriter): Generator<void, void> {
  const { clientId, will } = session;
  writer.saveSession(sessionRecord(session));
  if (will !== undefined) writer.saveWill(clientId, will.packet, willAt(will));
  for (const packetId of session.received()) writer.saveReceived(clientId, packetId);
  yield;
  if (!session.saved) return;
  for (const { subscription } of session.subscriptions.values()) {
    writer.saveSubscription(clientId, subscriptionRecord(subscription));
    yield;
  }
  for (const delivery of session.deliveries()) {
    writer.saveDelivery(clientId, delivery);
    yield;
  }
}

export function sessionRecord(session: Session): SessionRecord {
  const { clientId, expirySeconds, identity, expiryDeadline } = session;
  const expiresAt = session.online
    ? Number.POSITIVE_INFINITY
    : (expiryDeadline?.at ?? Number.POSITIVE_INFINITY);
  return { clientId, username: identity.username, expirySeconds, expiresAt };
}

/** Infinity while the client is connected. */
function willAt({ deadline }: Will): number {
  return deadline?.at ?? Number.POSITIVE_INFINITY;
}

export function subscriptionRecord(subscription: Subscription): SubscriptionRecord {
  const { filter, qos, noLocal, retainAsPublished, identifiers } = subscription;
  return { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier: identifiers[0] ?? 0 };
}
