// The broker core: builds its parts and is the way in. Bytes enter through Client.receive() and leave
// through each client's Outbox; every entry brings the time. Does no I/O.
// Invariant: everything on the node that concerns MQTT goes through one Broker.

import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { PublishView } from '../mqtt/publish-view.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import { SwapList } from '../shared/swap-list.ts';
import { Accounts } from './accounts.ts';
import { Administration } from './administration.ts';
import { BanList } from './ban-list.ts';
import { BoundLog } from './bound-log.ts';
import { Client } from './client/client.ts';
import { PacketDispatcher } from './client/dispatch.ts';
import { type InProcessSpec, InProcessSubscriber } from './client/in-process-subscriber.ts';
import type { BrokerContext } from './context.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { Distributor } from './distributor.ts';
import { LoginGuard } from './login-guard.ts';
import { encodeMessageAsView } from './message/encode-for-peers.ts';
import { Hops } from './message/hops.ts';
import { clearingMessage, expirySecondsLeft, isExpired, type Message } from './message/message.ts';
import { MovingSessions } from './moving-sessions.ts';
import { type BrokerOptions, defaultBrokerOptions } from './options.ts';
import {
  type Authorizer,
  type ClientDirectory,
  type ClientEvents,
  type ConnectionInfo,
  type GroupSharing,
  memoryStore,
  type Outbox,
  openAuthorizer,
  type PeerForwarder,
  type PeerOrigin,
  type SessionRoaming,
  type SessionStore,
  type StateWriter,
  type StoredState,
  type SubscribedFilters,
} from './ports.ts';
import { Price } from './prices.ts';
import { RetainedStore } from './retained/retained-store.ts';
import { Router } from './routing/route.ts';
import { SubscriptionTree } from './routing/subscription-tree.ts';
import { TopicTable } from './routing/topic-table.ts';
import { reviewSessions } from './session/access-review.ts';
import { exportState } from './session/export-state.ts';
import { importState } from './session/import-state.ts';
import {
  dropDeliveries,
  type EndedSession,
  endLocalSessions,
  type LocalSessionSpec,
  type LocalSessionState,
  localSessionState,
  openLocalSession,
} from './session/local-session.ts';
import { QueueMemory } from './session/queue-memory.ts';
import { forgetWill, leaveTo, publishableWill, publishForeignWill } from './session/roaming.ts';
import type { SessionsContext } from './session/session-context.ts';
import { SessionRegistry } from './session/session-registry.ts';
import { type SlowSubscriber, SlowSubscribers } from './session/slow-subscribers.ts';
import { SlowedClients } from './slowed-clients.ts';
import { BrokerStats } from './stats.ts';
import { SysTopics } from './sys-topics.ts';
import { WorkBudget } from './work-budget.ts';

export interface BrokerParts {
  readonly options?: Partial<BrokerOptions>;
  /** Uniform in [0, 1); makes names for clients without a Client Identifier. */
  readonly random: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: number;
  readonly log: Logger;
  readonly authorizer?: Authorizer;
  readonly store?: SessionStore;
  readonly forwarder?: PeerForwarder;
  readonly events?: ClientEvents | undefined;
}

export class Broker {
  readonly sys: SysTopics;
  /** Sessions on their way from and to other nodes. */
  readonly moving: MovingSessions;
  readonly administration: Administration;
  /** For the parts of this core and for tests; adapters use the methods below. */
  readonly context: BrokerContext;
  readonly #options: BrokerOptions;
  readonly #dispatcher: PacketDispatcher;
  readonly #clients = new SwapList<Client>();

  constructor(parts: BrokerParts) {
    this.#options = { ...defaultBrokerOptions, ...parts.options };
    this.context = makeContext(parts, this.#options);
    this.#dispatcher = new PacketDispatcher(this.context);
    this.sys = new SysTopics(this.context);
    this.moving = new MovingSessions(this.context);
    this.administration = new Administration(this.context);
    this.forwarder = parts.forwarder;
    this.context.distributor.onPublished = parts.events?.published;
  }

  get log(): Logger {
    return this.context.log;
  }

  get stats(): BrokerStats {
    return this.context.stats;
  }

  /** Time of the event at hand, or of the last one. */
  get now(): number {
    return this.context.budget.now;
  }

  /** Messages that wait for clients; one that waits for several counts for each. */
  get queuedMessages(): number {
    return this.context.queueMemory.deliveries;
  }

  /** Sessions of clients, connected or not. */
  get sessionCount(): number {
    return this.context.sessions.size;
  }

  /** Retained messages of clients. */
  get retainedCount(): number {
    return this.context.retained.publishedCount;
  }

  /** What the sessions of this node subscribe to. */
  get subscribedFilters(): SubscribedFilters {
    return this.context.tree;
  }

  get bans(): BanList {
    return this.context.bans;
  }

  /** The clients whose queues hold the most, the longest first; bounded. */
  slowSubscribers(now: number): SlowSubscriber[] {
    const { budget, slowSubscribers } = this.context;
    budget.enter(now);
    return slowSubscribers.measure();
  }

  /** The way of local messages to the other nodes; undefined while the node is not in a cluster. */
  set forwarder(forwarder: PeerForwarder | undefined) {
    this.context.distributor.forwarder = forwarder;
    this.context.budget.isForwarding = forwarder !== undefined;
  }

  /** Called when a new deadline is earlier than all others: set the timer for advance() anew. */
  set onEarlierDeadline(callback: () => void) {
    this.context.deadlines.onEarlier = callback;
  }

  /** Called when the core deferred work: call runDeferred() in the next turn of the event loop. */
  set onDeferred(callback: () => void) {
    this.context.budget.onDeferred = callback;
  }

  /** Called with the topic of a retained message that has expired. */
  set onRetainedExpired(callback: (topic: string) => void) {
    this.context.retained.onExpired = callback;
  }

  /** Replaces options while the node runs; connected clients keep what CONNACK announced. */
  reconfigure(options: Partial<BrokerOptions>): void {
    Object.assign(this.#options, options);
  }

  /** Restores what the store found when it opened. Call it before the first connection. */
  importState(state: StoredState): void {
    importState(this.context, state);
  }

  /** Writes the whole state, a piece in each step; the broker may continue between steps. */
  exportState(writer: StateWriter, now: number): Generator<void, void> {
    const { sessions, retained } = this.context;
    return exportState(sessions.all(), retained, writer, now);
  }

  /** A new connection. The broker sends nothing before its CONNECT. */
  accept(outbox: Outbox, info: ConnectionInfo, now: number): Client {
    this.context.budget.enter(now);
    this.context.stats.socketConnections += 1;
    const client = new Client(this.context, this.#dispatcher, outbox, info, this.#forget);
    this.#clients.add(client);
    return client;
  }

  /**
   * Opens or changes the session of a part of this node; it collects messages from now on.
   * @returns true if the session existed, with what waits in it
   */
  openLocalSession(spec: LocalSessionSpec, now: number): boolean {
    this.context.budget.enter(now);
    return openLocalSession(this.context, spec);
  }

  /** Ends all local sessions but these. @param kept Client Identifiers */
  endLocalSessions(kept: ReadonlySet<string>, now: number): readonly EndedSession[] {
    this.context.budget.enter(now);
    return endLocalSessions(this.context, kept);
  }

  /** What waits in a local session. */
  localSessionState(clientId: string): LocalSessionState | undefined {
    const session = this.context.sessions.find(clientId);
    return session && localSessionState(session);
  }

  /**
   * Connects a part of this node to its open session. The messages that wait follow Client.drained().
   * @param sendWindow unacknowledged QoS 1 and 2 messages that it takes
   */
  acceptLocal(outbox: Outbox, clientId: string, sendWindow: number, now: number): Client {
    const { budget, sessions } = this.context;
    budget.enter(now);
    const listener = { name: clientId, packetBytesMax: Number.POSITIVE_INFINITY };
    const info = { remoteAddress: clientId, listener };
    const client = new Client(this.context, this.#dispatcher, outbox, info, this.#forget);
    this.#clients.add(client);
    client.connectLocally(sessions.find(clientId)!, sendWindow);
    return client;
  }

  /**
   * Subscribes the program that embeds the node.
   * @returns the bound that the subscription would exceed, or a Reason Code, if it is refused
   */
  subscribeInProcess(spec: InProcessSpec, now: number): InProcessSubscriber | string | number {
    this.context.budget.enter(now);
    return InProcessSubscriber.open(this.context, spec);
  }

  /** The other side of a local session has lost its own: forgets the QoS 2 messages that it owes. */
  forgetReceived(clientId: string): void {
    this.context.sessions.find(clientId)?.forgetReceived();
  }

  /** Drops messages of a local session that is not connected. @returns how many */
  dropDeliveries(clientId: string, afterId: number, upToId: number, now: number): number {
    this.context.budget.enter(now);
    const session = this.context.sessions.find(clientId);
    return session === undefined ? 0 : dropDeliveries(session, afterId, upToId);
  }

  /** Sends the retained messages that match the subscriptions of a local session. */
  sendRetained(client: Client, now: number): void {
    const { budget, retained } = this.context;
    budget.enter(now);
    for (const { subscription } of client.session?.subscriptions.values() ?? []) {
      client.feeds.add(subscription, retained.match(subscription.filter, now));
    }
    client.pump();
  }

  readonly #forget = (client: Client): void => {
    this.#clients.delete(client);
  };

  /** Time of the next advance(), milliseconds; Infinity if there is no deadline. */
  nextDeadline(): number {
    return this.context.deadlines.next;
  }

  /** Runs due deadlines: Keep Alive, expiries, wills, $SYS. What exceeds the budget stays due. */
  advance(now: number): void {
    const { budget, deadlines } = this.context;
    budget.beginTurn(now);
    deadlines.advance(now, () => {
      const mayContinue = !budget.isSpent;
      budget.spend(Price.deadline);
      return mayContinue;
    });
  }

  /** Continues deferred work. */
  runDeferred(now: number): void {
    this.context.budget.runDeferred(now);
  }

  /**
   * A PUBLISH of a peer in MQTT 5 form. The view is read before this returns.
   * @param number of the message among all of its sender; undefined if it has none, so that no group of
   *   all nodes serves it here
   */
  publishFromPeer(
    view: PublishView,
    now: number,
    sender: PeerOrigin,
    number: number | undefined,
  ): void {
    this.context.budget.enter(now);
    this.#dispatcher.publishHandler.handlePeerPublish(view, sender.seed, number);
  }

  /** A retained PUBLISH of a peer that was lost on its way here, and comes late. */
  repairFromPeer(view: PublishView, now: number): void {
    this.context.budget.enter(now);
    this.#dispatcher.publishHandler.handlePeerPublish(view, 0, undefined);
  }

  /** From now on all nodes serve shared groups together. */
  set groupSharing(sharing: GroupSharing | undefined) {
    if (sharing !== undefined) this.context.tree.sharing = sharing;
  }

  /** Publishes an event of another part of the node. @param topic below `$SYS/broker/` */
  publishEvent(topic: string, text: string, now: number): void {
    this.context.budget.enter(now);
    this.sys.publishEvent(topic, text);
  }

  /** Publishes a state of another part of the node, retained. @param topic below `$SYS/broker/` */
  publishState(topic: string, text: string, now: number): void {
    this.context.budget.enter(now);
    this.sys.publishState(topic, text);
  }

  /** This node has a boot id. @param seed a hash of it, by which all nodes of the cluster know it */
  set seed(seed: number) {
    this.context.hops.seed = seed;
  }

  /** Another node is in the cluster: what has passed it over a bridge has been at this site. */
  addSiteNode(seed: number): void {
    this.context.hops.addNode(seed);
  }

  /** Learns where clients connect; undefined while the node is not in a cluster. */
  set clientDirectory(directory: ClientDirectory | undefined) {
    this.context.sessions.directory = directory;
  }

  /** Fetches sessions from other nodes; undefined while they stay where they are. */
  set sessionRoaming(roaming: SessionRoaming | undefined) {
    this.context.sessions.roaming = roaming;
  }

  isConnected(clientId: string): boolean {
    return this.context.sessions.find(clientId)?.online ?? false;
  }

  /** The will that other nodes publish if this node dies. */
  publishableWill(clientId: string): WillPacket | undefined {
    const session = this.context.sessions.find(clientId);
    return session && publishableWill(this.context, session);
  }

  /** A client has connected to another node. @returns true if it was connected here */
  connectedElsewhere(clientId: string, node: string, now: number): boolean {
    this.context.budget.enter(now);
    const session = this.context.sessions.find(clientId);
    return session !== undefined && leaveTo(this.context, session, node);
  }

  /** Another node has published the will of this client, which is not connected here. */
  willPublishedElsewhere(clientId: string, now: number): void {
    this.context.budget.enter(now);
    const session = this.context.sessions.find(clientId);
    if (session !== undefined) forgetWill(this.context, session);
  }

  /** Publishes the will of a client whose node died. */
  publishWillOfOtherNode(clientId: string, will: WillPacket, now: number): void {
    this.context.budget.enter(now);
    publishForeignWill(this.context, clientId, will);
  }

  /** The retained message of a topic; undefined where there is none or it has expired. */
  retainedMessage(topic: string): Message | undefined {
    const message = this.context.retained.get(topic);
    return message && !isExpired(message, this.context.budget.now) ? message : undefined;
  }

  /** The retained message of a topic as it crosses to other nodes. @returns a new view */
  encodeRetained(topic: string, now: number): PublishView | undefined {
    const message = this.context.retained.get(topic);
    if (message === undefined || isExpired(message, now)) return undefined;
    return encodeMessageAsView(message, now);
  }

  /** Publishes a message that was retained before. */
  retainAgain(message: Message, now: number): void {
    this.context.budget.enter(now);
    const { topic, payload, properties, qos } = message;
    const expirySeconds = expirySecondsLeft(message, now);
    const content = { payload, properties, qos, retain: true, expirySeconds };
    this.context.distributor.publish(topic.name, content, undefined);
  }

  /**
   * The message that clears the topic on other nodes.
   * @param expiresAt not later than now if only stores take it, and no subscriber
   * @returns a new view
   */
  encodeCleared(topic: string, now: number, expiresAt?: number): PublishView {
    return encodeMessageAsView(clearingMessage(this.context.topics.intern(topic), expiresAt), now);
  }

  /**
   * Access has changed: ends connections whose credential is no longer valid, and subscriptions and
   * queued messages that their clients may no longer have.
   */
  applyRights(now: number): void {
    const { budget, router } = this.context;
    budget.enter(now);
    router.forgetRoutes();
    budget.inTurns(this.#reviewAccess());
  }

  *#reviewAccess(): Generator<number> {
    const { authorizer, tree } = this.context;
    for (const client of this.#clients) {
      yield Price.accessCheck;
      const identity = client.session?.identity;
      if (identity === undefined || authorizer.isStillAuthorized(identity)) continue;
      client.disconnect(ReasonCode.notAuthorized, 'access was withdrawn', true);
    }
    // Members of shared groups count anew also where all is permitted now.
    if (!authorizer.permissive || tree.isShared) yield* reviewSessions(this.context);
  }

  /** Announces the stop to every client and ends all connections. Wills are published. */
  shutdown(now: number): void {
    this.context.budget.enter(now);
    for (const client of [...this.#clients]) {
      client.disconnect(ReasonCode.serverShuttingDown, 'the server stops', true);
    }
  }
}

function makeContext(parts: BrokerParts, options: BrokerOptions): BrokerContext {
  const { random, now, log, authorizer = openAuthorizer, store = memoryStore, events } = parts;
  const stats = new BrokerStats();
  const limiter = new LogLimiter();
  const budget = new WorkBudget(now);
  const deadlines = new DeadlineQueue();
  const accounts = new Accounts(options, authorizer);
  const bounds = new BoundLog(log, deadlines);
  const queueMemory = new QueueMemory(options, accounts);
  const hops = new Hops(Math.floor(random() * 2 ** 32));
  const tree = new SubscriptionTree(accounts);
  const topics = new TopicTable(options);
  const retained = new RetainedStore({ options, accounts, deadlines });
  const router = new Router({ tree, options, authorizer, stats, budget });
  const distributor = new Distributor({
    topics,
    retained,
    router,
    store,
    stats,
    hops,
    budget,
    log,
    bounds,
    queueMemory,
  });
  const base: SessionsContext = {
    options,
    store,
    stats,
    accounts,
    bounds,
    queueMemory,
    hops,
    budget,
    log,
    limiter,
    authorizer,
    deadlines,
    distributor,
    router,
    topics,
    tree,
  };
  const sessions = new SessionRegistry(base);
  const slowed = new SlowedClients(deadlines, log);
  const bans = new BanList(deadlines, log);
  const loginGuard = new LoginGuard(options, bans);
  return {
    ...base,
    random,
    startedAt: now,
    retained,
    sessions,
    slowed,
    slowSubscribers: new SlowSubscribers({ sessions, queueMemory, budget, log }),
    bans,
    loginGuard,
    events,
    connectWatchers: new Set(),
  };
}
