// Sessions of parts of this node: a bridge has one, with a queue and packets in flight like those of a
// client, and no CONNECT. Such a session never expires, and belongs to this node alone: the directory
// of clients does not list it.
// Invariant: no client can have its Client Identifier (connect.ts refuses the prefix).

import type { QoS } from '../../mqtt/publish-view.ts';
import type { BrokerContext } from '../context.ts';
import type { Identity } from '../ports.ts';
import type { BridgeRules, QueueLimits } from './bridge-rules.ts';
import type { Session } from './session.ts';

export const LOCAL_PREFIX = '$bridge/';
/** Of the subscriptions of a program that embeds the node (../client/in-process-subscriber.ts). */
export const PROGRAM_PREFIX = '$program/';

/** True for a Client Identifier that no client may have. */
export function isReservedClientId(clientId: string): boolean {
  return clientId.startsWith(LOCAL_PREFIX) || clientId.startsWith(PROGRAM_PREFIX);
}

export function isOfBridge({ clientId }: Session): boolean {
  return clientId.startsWith(LOCAL_PREFIX);
}

export interface LocalSubscription {
  readonly filter: string;
  readonly qos: QoS;
}

export interface LocalSessionSpec {
  /** Begins with LOCAL_PREFIX. */
  readonly identity: Identity;
  /** Replace those that the session has. No shared ones. */
  readonly subscriptions: readonly LocalSubscription[];
  readonly limits: QueueLimits;
  readonly rules: BridgeRules;
}

/** What waits in a session, for status and metrics. */
export interface LocalSessionState {
  readonly queued: number;
  readonly queuedBytes: number;
  readonly inflight: number;
  readonly dropped: number;
  /** Of the last message, and of the oldest that is not acknowledged; 0: none. Ids only rise. */
  readonly lastId: number;
  readonly oldestId: number;
}

/** @returns true if the session existed, with what waits in it */
export function openLocalSession(context: BrokerContext, spec: LocalSessionSpec): boolean {
  const { sessions } = context;
  const { session, present } = sessions.openLocal(spec.identity);
  const { outbound, subscriptions } = session;
  outbound.limits = spec.limits;
  outbound.bridge = spec.rules;
  const wanted = new Map(spec.subscriptions.map((one) => [one.filter, one]));
  for (const held of subscriptions.values()) {
    const { filter, qos } = held.subscription;
    if (wanted.get(filter)?.qos === qos) wanted.delete(filter);
    else sessions.removeSubscription(session, held);
  }
  for (const { filter, qos } of wanted.values()) {
    const options = { noLocal: true, retainAsPublished: true, identifiers: [] };
    const subscription = { subscriber: outbound, filter, qos, ...options };
    sessions.addSubscription(session, { subscription, filter, group: undefined });
  }
  return present;
}

export interface EndedSession {
  readonly clientId: string;
  /** Messages that are dropped with it. */
  readonly waiting: number;
}

/** Ends the local sessions that the configuration no longer has. None of them may be connected. */
export function endLocalSessions(
  { sessions }: BrokerContext,
  kept: ReadonlySet<string>,
): EndedSession[] {
  const isOver = (session: Session): boolean => isOfBridge(session) && !kept.has(session.clientId);
  const ended = [...sessions.all()].filter(isOver).map((session) => {
    const { clientId, outbound } = session;
    return { session, clientId, waiting: outbound.queued + outbound.inflight };
  });
  for (const { session } of ended) sessions.endLocal(session);
  return ended;
}

export function localSessionState({ outbound }: Session): LocalSessionState {
  const { queued, queuedBytes, inflight, dropped } = outbound;
  const { lastDeliveryId: lastId, oldestDeliveryId: oldestId } = outbound;
  return { queued, queuedBytes, inflight, dropped, lastId, oldestId };
}

/** Drops messages that have reached the far side otherwise. @returns how many */
export function dropDeliveries({ outbound }: Session, afterId: number, upToId: number): number {
  const before = outbound.queued + outbound.inflight;
  outbound.dropUnwanted(({ id }) => id > afterId && id <= upToId);
  return before - outbound.queued - outbound.inflight;
}
