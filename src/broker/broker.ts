// The broker core: sessions, subscriptions, retained messages and what happens between them. Does
// no I/O: bytes come in through Client.receive(), go out through each client's Outbox, time through
// `now`. Everything on the node that concerns MQTT passes through one Broker.

import { SESSION_EXPIRY_NEVER } from '../mqtt/limits.ts';
import type { PublishView } from '../mqtt/publish-view.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import { isReservedTopic } from '../mqtt/topic.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import { Client } from './client/client.ts';
import { PublishHandler } from './client/publish.ts';
import { filterWork } from './client/subscribe.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { originOf } from './log-fields.ts';
import { encodeMessageAsView } from './message/encode-for-peers.ts';
import type { Message } from './message/message.ts';
import { Publication } from './message/publication.ts';
import { type BrokerOptions, defaultBrokerOptions } from './options.ts';
import {
  type Authorizer,
  type ConnectionInfo,
  type Identity,
  memoryStore,
  type Outbox,
  openAuthorizer,
  type PeerForwarder,
  type SessionRecord,
  type SessionStore,
} from './ports.ts';
import { RetainedStore } from './retained/retained-store.ts';
import { Router } from './routing/route.ts';
import type { SharedGroup } from './routing/shared-group.ts';
import { SubscriptionTree } from './routing/subscription-tree.ts';
import { TopicTable } from './routing/topic-table.ts';
import { sessionRecord, subscriptionRecord } from './session/export-state.ts';
import { QueueMemory } from './session/queue-memory.ts';
import { type HeldSubscription, Session } from './session/session.ts';
import { discardWill, publishWill, RETURN_SECONDS, releaseWill } from './session/wills.ts';
import { BrokerStats } from './stats.ts';
import { SysTopics } from './sys-topics.ts';
import { WORK_A_TURN } from './work-budget.ts';

const MQTT_VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5.0' } as const;

/** What a message costs by itself, in deliveries. */
const MESSAGE_WORK = 8;
/** In deliveries, too: what is due, and a look at the rights of a client or a subscription. */
const DEADLINE_WORK = 100;
const RIGHT_WORK = 100;
/** A denial: the whole ACL was gone through, and there is a log line. */
const DENIED_WORK = 500;
/** The end of a connection: its last packet, its log line. */
const END_WORK = 1000;
/** Each may have to be offered to very many members. */
const HAND_OVER_MESSAGES = 16;

export interface BrokerParts {
  readonly options?: Partial<BrokerOptions>;
  /** Uniform in [0, 1); names clients that bring no name. */
  readonly random: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: number;
  readonly log: Logger;
  readonly authorizer?: Authorizer;
  readonly store?: SessionStore;
  readonly forwarder?: PeerForwarder;
}

export class Broker {
  readonly options: BrokerOptions;
  readonly random: () => number;
  readonly log: Logger;
  readonly authorizer: Authorizer;
  readonly store: SessionStore;
  readonly stats = new BrokerStats();
  readonly queueMemory = new QueueMemory();
  readonly deadlines = new DeadlineQueue();
  readonly topics: TopicTable;
  readonly tree = new SubscriptionTree();
  readonly retained: RetainedStore;
  readonly publisher: PublishHandler;
  readonly sys: SysTopics;
  /** Set while the node is in a cluster. */
  forwarder: PeerForwarder | undefined;
  /** Time of the event that is being handled. */
  now: number;
  readonly startedAt: number;
  /** What may still be caused in this turn; whoever does something counts it down. */
  workLeft = 0;
  /** Called when something was deferred: runDeferred() is to be called in the next turn. */
  onDeferred: (() => void) | undefined;
  readonly #deferred: (() => void)[] = [];
  readonly #router: Router;
  readonly #sessions = new Map<string, Session>();
  readonly #clients = new Set<Client>();

  constructor(parts: BrokerParts) {
    this.options = { ...defaultBrokerOptions, ...parts.options };
    this.random = parts.random;
    this.now = parts.now;
    this.startedAt = parts.now;
    this.log = parts.log;
    this.authorizer = parts.authorizer ?? openAuthorizer;
    this.store = parts.store ?? memoryStore;
    this.forwarder = parts.forwarder;
    this.topics = new TopicTable(this.options);
    this.retained = new RetainedStore(this.options);
    this.#router = new Router(this.tree, this.options, this.authorizer, this.stats);
    this.publisher = new PublishHandler(this);
    this.sys = new SysTopics(this);
  }

  /** A new connection. Nothing is sent until its CONNECT came. */
  accept(outbox: Outbox, info: ConnectionInfo, now: number): Client {
    this.now = now;
    this.stats.socketConnections += 1;
    const client = new Client(this, outbox, info, now);
    this.#clients.add(client);
    return client;
  }

  /** When advance() is due next. */
  nextDeadline(): number {
    return this.deadlines.next;
  }

  /** Runs what is due: keep alives, expiries, delayed wills, $SYS. What is too much stays due. */
  advance(now: number): void {
    this.now = now;
    this.workLeft = WORK_A_TURN + DEADLINE_WORK;
    this.deadlines.advance(now, () => {
      this.workLeft -= DEADLINE_WORK;
      return this.workLeft > 0;
    });
  }

  /** Does the work in a later turn, after the other clients had theirs. */
  defer(work: () => void): void {
    this.#deferred.push(work);
    if (this.#deferred.length === 1) this.onDeferred?.();
  }

  /** One turn for all of it: what finds no place waits for the next, in front. */
  runDeferred(now: number): void {
    this.now = now;
    this.workLeft = WORK_A_TURN;
    const deferred = this.#deferred;
    const due = deferred.length;
    let done = 0;
    while (done < due && this.workLeft > 0) deferred[done++]?.();
    deferred.splice(0, done);
    if (deferred.length > 0) this.onDeferred?.();
  }

  /** Does a long piece of work in as many turns as it needs. Each step tells what it cost. */
  inTurns(steps: Iterator<number>): void {
    while (this.workLeft > 0) {
      const step = steps.next();
      if (step.done) return;
      this.workLeft -= step.value;
    }
    this.defer(() => this.inTurns(steps));
  }

  /** A PUBLISH that came from a peer, MQTT 5 form. The view is read before this returns. */
  publishFromPeer(view: PublishView, now: number): void {
    this.now = now;
    this.publisher.handlePeerPublish(view);
  }

  /** Publishes a message of the broker's own or a will: to local subscribers and to peers. */
  publishMessage(message: Message, publisher: Session | undefined): void {
    const topic = this.topics.intern(message.topic.name);
    const publication = new Publication(topic);
    publication.setMessage(message, topic, this.now);
    if (this.forwarder !== undefined && !isReservedTopic(message.topic.name)) {
      this.forwarder.forward(
        encodeMessageAsView(message, this.now),
        topic.bytes,
        publisher?.clientId,
      );
    }
    this.route(publication, publisher);
  }

  /** Retained store, then subscribers of this node. True if a subscriber matched. */
  route(publication: Publication, publisher: Session | undefined): boolean {
    if (publication.retain) this.#retain(publication);
    const targets = this.#router.fanOut(publication, publisher);
    this.workLeft -= MESSAGE_WORK + targets + this.#router.extraWork;
    return targets > 0;
  }

  /** An empty payload clears [MQTT5-3.3.1-6, 3.3.1-7]; the message itself still goes out. */
  #retain(publication: Publication): void {
    const message = publication.message();
    const { name } = message.topic;
    if (message.payload.length === 0) {
      if (this.retained.remove(name) && this.store.durable) this.store.removeRetained(name);
    } else if (!this.retained.set(message)) {
      this.stats.retainedRefused += 1;
      this.log.warn('retained message not kept: the store is full', { topic: name });
    } else if (this.store.durable && !isReservedTopic(name)) {
      this.store.saveRetained(message);
    }
  }

  get clientCount(): number {
    return this.stats.clientsConnected;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  hasRoomFor(clientId: string): boolean {
    return this.#sessions.has(clientId) || this.#sessions.size < this.options.sessionsMax;
  }

  boundedExpiry(seconds: number): number {
    const wanted = seconds === SESSION_EXPIRY_NEVER ? Number.POSITIVE_INFINITY : seconds;
    return Math.min(wanted, this.options.sessionExpirySecondsMax);
  }

  /**
   * The session of a client that may come in: taken over, resumed or new. An older connection of
   * the same Client Identifier is closed first [MQTT5-3.1.4-3].
   */
  openSession(
    client: Client,
    identity: Identity,
    cleanStart: boolean,
  ): { session: Session; present: boolean } {
    let session = this.#sessions.get(identity.clientId);
    if (session?.link instanceof Client && session.link !== client) {
      // A will with a delay waits and is cancelled by the resume (3.1.3.2.2).
      session.link.disconnect(ReasonCode.sessionTakenOver, 'its client connected anew', true);
      session = this.#sessions.get(identity.clientId);
    }
    // One that ended with the crash of ours before; its client is back, so the will stays unsaid.
    const isOver = session?.expirySeconds === 0;
    if (session !== undefined && isOver) discardWill(this, session);
    if (session !== undefined && (cleanStart || isOver)) {
      this.#endSession(session);
      session = undefined;
    }
    if (session !== undefined) {
      this.deadlines.cancel(session.expiryDeadline);
      session.expiryDeadline = undefined;
      session.identity = identity;
      if (!this.authorizer.permissive) {
        this.#router.forgetRoutes();
        this.#dropUnwanted(session);
        this.inTurns(this.#reviewSubscriptions(session));
      }
      return { session, present: true };
    }
    const fresh = new Session(identity, this);
    this.#sessions.set(identity.clientId, fresh);
    return { session: fresh, present: false };
  }

  clientConnected(client: Client, session: Session): void {
    const { stats } = this;
    stats.clientsConnected += 1;
    stats.clientsMaximum = Math.max(stats.clientsMaximum, stats.clientsConnected);
    const mqtt = MQTT_VERSIONS[client.version];
    this.log.info('client connected', { ...whoIs(client), mqtt });
    this.#keep(session);
  }

  /** From now on the store keeps the session or, of one that ends with its connection, its will. */
  #keep(session: Session): void {
    if (!this.store.durable) return;
    const { clientId, will } = session;
    if (session.stored && session.expirySeconds === 0) this.store.removeSession(clientId);
    session.saved = session.expirySeconds > 0;
    session.stored = session.saved || will !== undefined;
    if (session.stored) this.store.saveSession(sessionRecord(session));
    if (will !== undefined) this.store.saveWill(clientId, will.packet, Number.POSITIVE_INFINITY);
  }

  /** The connection is over, whoever ended it. */
  clientEnded(client: Client, withWill: boolean, reason: string): void {
    this.#clients.delete(client);
    const { session } = client;
    if (session === undefined || session.link !== client) return;
    this.stats.clientsConnected -= 1;
    this.workLeft -= END_WORK;
    session.detach();
    this.log.info('client disconnected', { ...whoIs(client), reason });
    if (withWill) releaseWill(this, session);
    else discardWill(this, session);
    if (session.expirySeconds === 0) {
      this.#endSession(session);
      return;
    }
    this.#watchExpiry(session);
    this.inTurns(this.#handOver(session, false));
  }

  #watchExpiry(session: Session): void {
    this.#expireAt(session, this.now + session.expirySeconds * 1000);
    if (session.saved) this.store.saveSession(sessionRecord(session));
  }

  #expireAt(session: Session, at: number): void {
    if (at === Number.POSITIVE_INFINITY) return;
    session.expiryDeadline = this.deadlines.schedule(at, () => {
      this.stats.sessionsExpired += 1;
      this.#endSession(session);
    });
  }

  /** A session that a store kept; the caller adds what belongs to it. */
  restoreSession({ clientId, username, expirySeconds, expiresAt }: SessionRecord): Session {
    const session = new Session({ clientId, username }, this);
    session.expirySeconds = expirySeconds;
    session.saved = expirySeconds > 0;
    session.stored = true;
    this.#sessions.set(clientId, session);
    // One that was connected when the process ended begins to age now.
    const isAging = expiresAt !== Number.POSITIVE_INFINITY;
    const lifeSeconds = session.saved ? expirySeconds : RETURN_SECONDS;
    this.#expireAt(session, isAging ? expiresAt : this.now + lifeSeconds * 1000);
    // Told, so that the next restart doesn't begin anew.
    if (session.expiryDeadline !== undefined && !isAging) {
      this.store.saveSession(sessionRecord(session));
    }
    return session;
  }

  sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** Nothing of the session is left; a will that waited is published now [MQTT5-3.1.2-10]. */
  #endSession(session: Session): void {
    this.deadlines.cancel(session.expiryDeadline);
    publishWill(this, session);
    this.#sessions.delete(session.clientId);
    if (session.stored) this.store.removeSession(session.clientId);
    session.saved = false;
    session.stored = false;
    this.inTurns(this.#takeApart(session));
  }

  /** What comes to the session until its last subscription is gone is handed over or lost with it. */
  *#takeApart(session: Session): Generator<number> {
    for (const { filter, group } of session.subscriptions.values()) {
      this.tree.remove(filter, session, group);
      yield filterWork(filter);
    }
    session.subscriptions.clear();
    yield* this.#handOver(session, true);
    session.dropAll();
  }

  /** What came by a Shared Subscription and did not arrive goes to another member (4.8.2). */
  *#handOver(session: Session, ending: boolean): Generator<number> {
    const known = new Map<SharedGroup, boolean>();
    const hasOther = (group: SharedGroup): boolean => {
      const found = known.get(group) ?? (ending ? group.size > 0 : group.hasOnline(session));
      known.set(group, found);
      return found;
    };
    while (ending || !session.online) {
      const deliveries = session.takeShared(ending, hasOther, HAND_OVER_MESSAGES);
      if (deliveries.length === 0) return;
      let work = session.queued;
      for (const { message, qos, retain, group } of deliveries) {
        const { name } = message.topic;
        const member = group?.pick((other) => this.#router.mayReceive(other, name), session);
        member?.session.deliverMessage(message, qos, retain, member.identifiers, group);
        work += MESSAGE_WORK + (group?.steps ?? 0);
      }
      yield work;
    }
  }

  addSubscription(session: Session, held: HeldSubscription): void {
    const { subscription } = held;
    session.subscriptions.set(subscription.filter, held);
    this.tree.add(held.filter, subscription, held.group);
    if (session.saved) {
      this.store.saveSubscription(session.clientId, subscriptionRecord(subscription));
    }
  }

  removeSubscription(session: Session, held: HeldSubscription): void {
    session.subscriptions.delete(held.subscription.filter);
    this.tree.remove(held.filter, session, held.group);
    if (session.saved) this.store.removeSubscription(session.clientId, held.subscription.filter);
  }

  /**
   * Rights have changed: ends connections that are welcome no longer, takes subscriptions and
   * queued messages away where the right to them is gone.
   */
  applyRights(now: number): void {
    this.now = now;
    this.workLeft = WORK_A_TURN;
    this.#router.forgetRoutes();
    this.inTurns(this.#reviewRights());
  }

  /** In turns: of what is delivered meanwhile the new rights are asked already. */
  *#reviewRights(): Generator<number> {
    for (const client of this.#clients) {
      yield RIGHT_WORK;
      const identity = client.session?.identity;
      if (identity === undefined || this.authorizer.isStillAuthorized(identity)) continue;
      client.disconnect(ReasonCode.notAuthorized, 'the right to connect is gone', true);
    }
    if (this.authorizer.permissive) return;
    for (const session of this.#sessions.values()) {
      this.#dropUnwanted(session);
      yield RIGHT_WORK;
      yield* this.#reviewSubscriptions(session);
    }
  }

  *#reviewSubscriptions(session: Session): Generator<number> {
    const { authorizer, log } = this;
    for (const held of session.subscriptions.values()) {
      yield RIGHT_WORK;
      const { identity } = session;
      if (authorizer.subscriptionRefusal(identity, held.filter) === 0) continue;
      const { clientId: client, username: user } = identity;
      log.info('subscription ended: the right is gone', { client, user, topic: held.filter });
      this.removeSubscription(session, held);
    }
  }

  #dropUnwanted(session: Session): void {
    const { identity } = session;
    session.dropUnwanted(({ topic }) => !this.authorizer.mayReceive(identity, topic.name));
  }

  denied(client: Client, what: 'publish' | 'subscribe', topic: string): void {
    this.workLeft -= DENIED_WORK;
    const user = client.session?.identity.username;
    this.log.info(`${what} denied`, { client: client.session?.clientId, user, topic });
  }

  /** Tells every client that the server goes, and ends the connections. Wills are published. */
  shutdown(now: number): void {
    this.now = now;
    this.workLeft = WORK_A_TURN;
    for (const client of [...this.#clients]) {
      client.disconnect(ReasonCode.serverShuttingDown, 'the server stops', true);
    }
  }
}

function whoIs({ session, info }: Client): LogFields {
  return { client: session?.clientId, user: session?.identity.username, ...originOf(info) };
}
