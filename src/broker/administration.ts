// What people and programs may see of the broker and change in it, beside MQTT: sessions, subscriptions,
// retained messages, and messages published or observed by the node itself. Reads walk in steps, so that
// the caller can pause. Decides on no access: the caller has done that.

import type { ProtocolVersion } from '../mqtt/publish-view.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import type { BrokerContext, ConnectWatcher } from './context.ts';
import type { OwnMessage } from './distributor.ts';
import { formatVersion } from './log-fields.ts';
import { expirySecondsLeft, type Message } from './message/message.ts';
import { type Observation, Observer } from './observer.ts';
import type { AccessRule, ConnectionInfo, Outbox } from './ports.ts';
import { DeliveryState } from './session/delivery.ts';
import type { Session } from './session/session.ts';

/** Messages of one session that are shown. */
const DELIVERIES_MAX = 100;

const STATE_NAMES = Object.fromEntries(
  Object.entries(DeliveryState).map(([name, value]) => [value, name]),
);

export interface SessionFacts {
  readonly id: string;
  readonly user: string | null;
  readonly isConnected: boolean;
  /** Of the connection; null while there is none. */
  readonly address: string | null;
  readonly listener: string | null;
  readonly mqtt: string | null;
  /** Milliseconds of the core's clock; null while there is no connection. */
  readonly connectedAt: number | null;
  /** Session Expiry Interval, seconds; null: never. */
  readonly expirySeconds: number | null;
  readonly subscriptions: number;
  readonly queued: number;
  readonly inflight: number;
  readonly isCongested: boolean;
  /** PUBLISH packets of the connection so far, in both directions; null while there is none. */
  readonly publishReceived: number | null;
  readonly publishSent: number | null;
}

export interface SubscriptionFacts {
  readonly client: string;
  readonly filter: string;
  readonly qos: number;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
}

export interface DeliveryFacts {
  readonly topic: string;
  readonly qos: number;
  readonly bytes: number;
  readonly state: string;
  readonly packetId: number;
}

export interface SessionMeans {
  /** What it holds of the memory of the node, and what all clients of its user hold. */
  readonly memory: {
    readonly bytes: number;
    readonly queueBytes: number;
    readonly userBytes: number;
  };
  /** Of the connection since it began; null where nothing counts it. */
  readonly traffic: { readonly receivedBytes: number; readonly sentBytes: number } | null;
  /** The first that matches decides; null: every topic is free. */
  readonly rules: readonly AccessRule[] | null;
}

export interface RetainedFacts {
  readonly topic: string;
  readonly qos: number;
  readonly bytes: number;
  /** Seconds until it expires; null: never. */
  readonly expiresIn: number | null;
  readonly payload: Buffer;
}

/** A connection as the administration sees it; Client is one. */
interface ShownConnection {
  readonly info: ConnectionInfo;
  readonly version: ProtocolVersion;
  readonly connectedAt: number;
  readonly publishReceived: number;
  readonly link: {
    readonly congested: boolean;
    readonly publishSent: number;
    readonly outbox: Outbox;
  };
}

/** A connection whose bytes can be seen. */
export interface TracedConnection {
  readonly client: string;
  readonly version: ProtocolVersion;
  readonly outbox: Outbox;
}

export class Administration {
  readonly #context: BrokerContext;

  constructor(context: BrokerContext) {
    this.#context = context;
  }

  /** All sessions, in no order. Sessions may come and go during the walk. */
  *sessions(): Generator<SessionFacts> {
    for (const session of this.#context.sessions.all()) yield factsOf(session);
  }

  session(clientId: string): SessionFacts | undefined {
    const session = this.#context.sessions.find(clientId);
    return session && factsOf(session);
  }

  /** @param clientId of all clients without */
  *subscriptions(clientId?: string): Generator<SubscriptionFacts> {
    const { sessions } = this.#context;
    const one = clientId === undefined ? undefined : sessions.find(clientId);
    const wanted = clientId === undefined ? sessions.all() : one === undefined ? [] : [one];
    for (const session of wanted) {
      for (const { subscription } of session.subscriptions.values()) {
        const { filter, qos, noLocal, retainAsPublished } = subscription;
        yield { client: session.clientId, filter, qos, noLocal, retainAsPublished };
      }
    }
  }

  /** The first messages that the client is owed with QoS 1 or 2, in order. */
  deliveries(clientId: string): DeliveryFacts[] {
    const deliveries = this.#context.sessions.find(clientId)?.outbound.deliveries() ?? [];
    return deliveries.slice(0, DELIVERIES_MAX).map(({ message, qos, state, packetId }) => ({
      topic: message.topic.name,
      qos,
      bytes: message.payload.length,
      state: STATE_NAMES[state] ?? '',
      packetId,
    }));
  }

  /** The will of a client: published if its connection ends without a DISCONNECT. */
  will(clientId: string): Omit<DeliveryFacts, 'state' | 'packetId'> | undefined {
    const will = this.#context.sessions.find(clientId)?.will?.packet;
    return will && { topic: will.topic, qos: will.qos, bytes: will.payload.length };
  }

  /** Sees each CONNECT of a client, before the broker decides on it. @returns ends it */
  watchConnects(watcher: ConnectWatcher): () => void {
    const { connectWatchers } = this.#context;
    connectWatchers.add(watcher);
    return () => connectWatchers.delete(watcher);
  }

  /** What a session costs and may do; undefined if there is none. */
  means(clientId: string): SessionMeans | undefined {
    const session = this.#context.sessions.find(clientId);
    if (session === undefined) return undefined;
    const { account } = session.outbound;
    const connection = session.connection as Partial<ShownConnection> | undefined;
    const { received, sent } = connection?.link?.outbox.traffic ?? {};
    return {
      memory: {
        bytes: account.bytes,
        queueBytes: account.queueBytes,
        userBytes: account.user.bytes,
      },
      traffic:
        received === undefined || sent === undefined
          ? null
          : { receivedBytes: received, sentBytes: sent },
      rules: this.#context.authorizer.rulesOf?.(session.identity) ?? null,
    };
  }

  /** Connections of one client, or of all without `clientId`. */
  *connections(clientId: string | undefined): Generator<TracedConnection> {
    const { sessions } = this.#context;
    const one = clientId === undefined ? undefined : sessions.find(clientId);
    const wanted = clientId === undefined ? sessions.all() : one === undefined ? [] : [one];
    for (const { connection, clientId: client } of wanted) {
      const { version, link } = (connection ?? {}) as Partial<ShownConnection>;
      if (version !== undefined && link !== undefined)
        yield { client, version, outbox: link.outbox };
    }
  }

  /** Ends the connection of a client. @returns false if it is not connected */
  disconnect(clientId: string, reason: string, now: number): boolean {
    const { budget, sessions } = this.#context;
    budget.enter(now);
    const connection = sessions.find(clientId)?.connection;
    connection?.disconnect(ReasonCode.administrativeAction, reason, true);
    return connection !== undefined;
  }

  /** Ends the connection and the session of a client. @returns false if there is no session */
  forget(clientId: string, reason: string, now: number): boolean {
    const { sessions } = this.#context;
    if (sessions.find(clientId) === undefined) return false;
    this.disconnect(clientId, reason, now);
    const left = sessions.find(clientId);
    if (left !== undefined) sessions.remove(left);
    return true;
  }

  /** As RetainedStore.match(). @param filter a valid Topic Filter */
  *retained(filter: string, now: number): Generator<RetainedFacts | undefined> {
    for (const message of this.#context.retained.match(filter, now)) {
      yield message && retainedFacts(message, now);
    }
  }

  /**
   * Publishes on all nodes.
   * @param topic a valid Topic Name that does not begin with `$`
   * @returns whether a subscriber of this node matched, and whether the message could not be retained
   */
  publish(topic: string, content: OwnMessage, now: number) {
    const { budget, distributor } = this.#context;
    budget.enter(now);
    distributor.publish(topic, content, undefined);
    return { ...distributor.last };
  }

  /**
   * Passes on every message that matches, once, whatever the ACL says.
   * @param filter a valid Topic Filter
   * @param take must return quickly and not throw
   * @returns ends it
   */
  observe(filter: string, take: (message: Observation) => void): () => void {
    const { tree } = this.#context;
    const observer = new Observer(take);
    const subscription = {
      subscriber: observer,
      filter,
      qos: 2,
      noLocal: false,
      retainAsPublished: true,
      identifiers: [],
    } as const;
    tree.add(filter, subscription, undefined);
    return () => tree.remove(filter, observer, undefined);
  }
}

function factsOf(session: Session): SessionFacts {
  const { identity, outbound, online, expirySeconds } = session;
  // The one class of connection is Client; a test's has none of this.
  const connection = session.connection as Partial<ShownConnection> | undefined;
  const { remoteAddress = null, remotePort, listenerAddress = null } = connection?.info ?? {};
  const port = remotePort === undefined ? '' : `:${remotePort}`;
  return {
    id: identity.clientId,
    user: identity.username ?? null,
    isConnected: online,
    address: remoteAddress === null ? null : `${remoteAddress}${port}`,
    listener: listenerAddress,
    mqtt: connection?.version === undefined ? null : formatVersion(connection.version),
    connectedAt: connection?.connectedAt ?? null,
    expirySeconds: expirySeconds === Number.POSITIVE_INFINITY ? null : expirySeconds,
    subscriptions: session.subscriptions.size,
    queued: outbound.queued,
    inflight: outbound.inflight,
    isCongested: connection?.link?.congested ?? false,
    publishReceived: connection?.publishReceived ?? null,
    publishSent: connection?.link?.publishSent ?? null,
  };
}

function retainedFacts(message: Message, now: number): RetainedFacts {
  const { topic, qos, payload } = message;
  const seconds = expirySecondsLeft(message, now);
  return {
    topic: topic.name,
    qos,
    bytes: payload.length,
    expiresIn: seconds < 0 ? null : seconds,
    payload,
  };
}
