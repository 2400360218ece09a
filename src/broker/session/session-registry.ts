// All sessions of the node by Client Identifier, and their lifecycle: opened by a CONNECT or restored
// from the store, released when the connection ends, ended by expiry or Clean Start (MQTT 5.0 4.1).
// Invariant: there is at most one session for a Client Identifier, and the store has a record of
// exactly those sessions that are `isInStore`.

import type { WillPacket } from '../../mqtt/control-decoder.ts';
import { SESSION_EXPIRY_NEVER } from '../../mqtt/limits.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import { textBytes } from '../../shared/text-bytes.ts';
import { ClientAccount, isOverShare, NAMELESS_SHARE } from '../accounts.ts';
import { CONNECTION_BYTES, SESSION_BYTES, subscriptionBytes } from '../memory-costs.ts';
import type { ClientDirectory, Identity, SessionRecord, SessionRoaming } from '../ports.ts';
import { filterPrice } from '../prices.ts';
import { dropUnwanted, reviewSubscriptions } from './access-review.ts';
import { sessionRecord, subscriptionRecord } from './export-state.ts';
import { handOver } from './hand-over.ts';
import type { SessionConnection } from './link.ts';
import { publishableWill } from './roaming.ts';
import { type HeldSubscription, Session } from './session.ts';
import type { SessionsContext } from './session-context.ts';
import { discardWill, publishWill, RETURN_SECONDS, releaseWill, willBytes } from './wills.ts';

export class SessionRegistry {
  readonly #context: SessionsContext;
  readonly #sessions = new Map<string, Session>();
  /** Of bridges, and of the program that embeds the node. */
  readonly #local = new Set<Session>();
  /** Set while the node is in a cluster. */
  directory: ClientDirectory | undefined;
  /** Set while sessions follow their clients. */
  roaming: SessionRoaming | undefined;

  constructor(context: SessionsContext) {
    this.#context = context;
  }

  /** Sessions of clients. */
  get size(): number {
    return this.#sessions.size - this.#local.size;
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** The client that has the session of this Client Identifier. */
  identityOf(clientId: string): Identity | undefined {
    return this.#sessions.get(clientId)?.identity;
  }

  /** The bound that a connection of this client would exceed, in words; undefined if there is room. */
  boundFor(
    { clientId, username }: Identity,
    address: string,
    will: WillPacket | undefined,
  ): string | undefined {
    const { accounts, options, stats } = this.#context;
    const user = accounts.peek(username, address);
    const { nameless } = accounts;
    const connected = nameless.sessions - nameless.absentSessions;
    if (
      accounts.isOverNamelessShare(user, connected, stats.clientsConnected, options.connectionsMax)
    ) {
      return `-max-connections ${NAMELESS_SHARE}`;
    }
    const known = this.#sessions.get(clientId);
    const bytes =
      CONNECTION_BYTES +
      willBytes(will) +
      (known === undefined ? baseBytes({ clientId, username }) : 0);
    const bound = accounts.boundFor(user, bytes);
    if (bound !== undefined || known !== undefined) return bound;
    const { sessionsMax } = options;
    if (this.#sessions.size >= sessionsMax) return '-max-sessions';
    // Connections have a bound of their own, but must not fill what absent sessions have left.
    const isOver = isOverShare(user.absentSessions, this.#sessions.size, sessionsMax);
    if (isOver) return "-max-sessions (the user's share)";
    const { size } = this.#sessions;
    return accounts.isOverNamelessShare(user, nameless.sessions, size, sessionsMax)
      ? `-max-sessions ${NAMELESS_SHARE}`
      : undefined;
  }

  /** The Session Expiry Interval that the node grants, seconds; Infinity: the session never expires. */
  grantedExpiry(seconds: number): number {
    const wanted = seconds === SESSION_EXPIRY_NEVER ? Number.POSITIVE_INFINITY : seconds;
    return Math.min(wanted, this.#context.options.sessionExpirySecondsMax);
  }

  /**
   * The session of an accepted client, resumed or new. Closes an older connection of the same Client
   * Identifier first [MQTT5-3.1.4-3].
   * @returns `present` for Session Present in CONNACK
   */
  open(
    connection: SessionConnection,
    identity: Identity,
    address: string,
    cleanStart: boolean,
  ): { session: Session; present: boolean } {
    const older = this.#sessions.get(identity.clientId)?.connection;
    if (older !== undefined && older !== connection) {
      // A delayed will waits then, and resuming the session cancels it (3.1.3.2.2).
      older.disconnect(ReasonCode.sessionTakenOver, 'its client connected anew', true);
    }
    let session = this.#sessions.get(identity.clientId);
    // Restored after a crash only for its will. The client has returned: the will is not published.
    const isOver = session?.expirySeconds === 0;
    if (session !== undefined && isOver) discardWill(this.#context, session);
    if (session !== undefined && (cleanStart || isOver)) {
      this.#end(session);
      session = undefined;
    }
    const present = session !== undefined;
    if (session === undefined) session = this.#add(identity, address);
    else this.#resume(session, identity, address);
    return { session, present };
  }

  /** Sessions of parts of this node. */
  get local(): ReadonlySet<Session> {
    return this.#local;
  }

  /** The session belongs to a part of this node, not to a client. */
  markLocal(session: Session): void {
    session.isLocal = true;
    this.#local.add(session);
  }

  /** The session of a part of this node, with or without a connection. It never expires. */
  openLocal(identity: Identity): { session: Session; present: boolean } {
    const known = this.#sessions.get(identity.clientId);
    const session = known ?? this.#add(identity, identity.clientId);
    this.#context.deadlines.cancel(session.expiryDeadline);
    session.expiryDeadline = undefined;
    this.markLocal(session);
    session.expirySeconds = Number.POSITIVE_INFINITY;
    session.outbound.identity = identity;
    this.persist(session);
    return { session, present: known !== undefined };
  }

  /** Ends a session of a part of this node that is not connected. */
  endLocal(session: Session): void {
    this.#end(session);
  }

  /** Deletes a session that another node has now: nothing of it is handed over or published here. */
  endMoved(session: Session): void {
    discardWill(this.#context, session);
    session.outbound.isPersistent = false;
    for (const _ of session.outbound.dropAll());
    this.#end(session);
  }

  #add(identity: Identity, address: string): Session {
    const { accounts } = this.#context;
    const account = new ClientAccount(accounts.open(identity.username, address));
    accounts.countSession(account, 1);
    accounts.charge(account, baseBytes(identity));
    const session = new Session(identity, account, this.#context);
    this.#sessions.set(identity.clientId, session);
    return session;
  }

  #resume(session: Session, identity: Identity, address: string): void {
    const { authorizer, router, deadlines, budget, accounts } = this.#context;
    this.#setAbsent(session, false);
    accounts.charge(session.outbound.account, baseBytes(identity) - baseBytes(session.identity));
    accounts.move(session.outbound.account, identity.username, address);
    deadlines.cancel(session.expiryDeadline);
    session.expiryDeadline = undefined;
    session.outbound.identity = identity;
    if (authorizer.permissive) return;
    // Perhaps another user, with other permissions.
    router.forgetRoutes();
    dropUnwanted(this.#context, session);
    budget.inTurns(reviewSubscriptions(this.#context, this, session));
  }

  /** The session of a connected or absent client. */
  find(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  /** Persists the session, or only its will if the session ends with the connection. */
  persist(session: Session): void {
    if (!session.isLocal) {
      this.directory?.connected(session.clientId, publishableWill(this.#context, session));
    }
    this.#updateGroups(session);
    const { store } = this.#context;
    if (!store.durable) return;
    const { clientId, will } = session;
    if (session.isInStore && session.expirySeconds === 0) store.removeSession(clientId);
    session.outbound.isPersistent = session.expirySeconds > 0;
    session.isInStore = session.isPersistent || will !== undefined;
    if (session.isInStore) store.saveSession(sessionRecord(session));
    if (will !== undefined) store.saveWill(clientId, will.packet, Number.POSITIVE_INFINITY);
  }

  /** The connection has ended. @param withWill false after a normal DISCONNECT */
  release(session: Session, withWill: boolean): void {
    session.detach();
    if (withWill) releaseWill(this.#context, session);
    else discardWill(this.#context, session);
    if (!session.isLocal) this.directory?.disconnected(session.clientId);
    this.#updateGroups(session);
    if (session.expirySeconds === 0) {
      this.#end(session);
      return;
    }
    this.#setAbsent(session, true);
    const { budget, store } = this.#context;
    this.#expireAt(session, budget.now + session.expirySeconds * 1000);
    if (session.isPersistent) store.saveSession(sessionRecord(session));
    budget.inTurns(handOver(this.#context, session, false));
  }

  /** The client has connected or disconnected: the shared groups of its session count it anew. */
  #updateGroups(session: Session): void {
    const { tree, budget } = this.#context;
    if (tree.isShared && session.subscriptions.size > 0) budget.inTurns(this.#groupsOf(session));
  }

  *#groupsOf({ subscriptions }: Session): Generator<number> {
    const { tree } = this.#context;
    for (const { filter, group } of subscriptions.values()) {
      if (group === undefined) continue;
      tree.group(filter, group)?.share?.changed();
      yield filterPrice(filter);
    }
  }

  #setAbsent(session: Session, isAbsent: boolean): void {
    if (session.isAbsent === isAbsent) return;
    session.isAbsent = isAbsent;
    this.#context.accounts.countAbsent(session.outbound.account, isAbsent ? 1 : -1);
  }

  #expireAt(session: Session, at: number): void {
    if (at === Number.POSITIVE_INFINITY) return;
    session.expiryDeadline = this.#context.deadlines.schedule(at, () => {
      this.#context.stats.sessionsExpired += 1;
      this.#end(session);
    });
  }

  /** Creates the session of a store's record; the caller restores its content. */
  restore({ clientId, username, address, expirySeconds, expiresAt }: SessionRecord): Session {
    const { budget, store } = this.#context;
    const session = this.#add({ clientId, username }, address ?? '');
    session.expirySeconds = expirySeconds;
    this.#setAbsent(session, true);
    session.outbound.isPersistent = expirySeconds > 0;
    session.isInStore = true;
    // The expiry of a session that was connected when the process ended begins now.
    const isRunning = expiresAt !== Number.POSITIVE_INFINITY;
    const lifeSeconds = session.isPersistent ? expirySeconds : RETURN_SECONDS;
    this.#expireAt(session, isRunning ? expiresAt : budget.now + lifeSeconds * 1000);
    // Recorded, so that the next restart does not begin it anew.
    if (session.expiryDeadline !== undefined && !isRunning) {
      store.saveSession(sessionRecord(session));
    }
    return session;
  }

  /** Ends the session of a client that is not connected. */
  remove(session: Session): void {
    this.#end(session);
  }

  /** Deletes the session; a will that waits is published now [MQTT5-3.1.2-10]. */
  #end(session: Session): void {
    const { deadlines, store, budget, accounts } = this.#context;
    deadlines.cancel(session.expiryDeadline);
    publishWill(this.#context, session);
    this.#sessions.delete(session.clientId);
    this.#local.delete(session);
    this.#setAbsent(session, false);
    accounts.countSession(session.outbound.account, -1);
    if (session.isInStore) store.removeSession(session.clientId);
    session.outbound.isPersistent = false;
    session.isInStore = false;
    budget.inTurns(this.#takeApart(session));
  }

  /** Messages that arrive before the last subscription is removed are handed over or dropped too. */
  *#takeApart(session: Session): Generator<number> {
    for (const held of session.subscriptions.values()) {
      this.#detachSubscription(session, held);
      yield filterPrice(held.filter);
    }
    session.giveUpAll();
    yield* handOver(this.#context, session, true);
    yield* session.outbound.dropAll();
    session.releaseMemory();
    this.#context.accounts.charge(session.outbound.account, -baseBytes(session.identity));
  }

  addSubscription(session: Session, held: HeldSubscription): void {
    this.restoreSubscription(session, held);
    if (session.isPersistent) {
      this.#context.store.saveSubscription(session.clientId, subscriptionRecord(held.subscription));
    }
  }

  /** As addSubscription(), for one that the store has. */
  restoreSubscription(session: Session, held: HeldSubscription): void {
    const { subscription } = held;
    const { accounts, tree } = this.#context;
    const isNew = !session.subscriptions.has(subscription.filter);
    if (isNew) accounts.charge(session.outbound.account, subscriptionBytes(subscription.filter));
    session.hold(held);
    tree.add(held.filter, subscription, held.group);
    this.reviewMember(session, held);
  }

  /** A member of a shared group counts for the other nodes by how much of it the client may receive. */
  reviewMember({ outbound }: Session, { filter, group: name }: HeldSubscription): void {
    if (name === undefined) return;
    const { tree, authorizer } = this.#context;
    const group = tree.group(filter, name);
    group?.setAccess(outbound, authorizer.mayReceiveAll(outbound.identity, filter));
    group?.share?.changed();
  }

  removeSubscription(session: Session, held: HeldSubscription): void {
    const { filter } = held.subscription;
    session.giveUp(filter);
    this.#detachSubscription(session, held);
    if (session.isPersistent) this.#context.store.removeSubscription(session.clientId, filter);
  }

  #detachSubscription({ outbound }: Session, held: HeldSubscription): void {
    const { accounts, tree } = this.#context;
    tree.remove(held.filter, outbound, held.group);
    accounts.charge(outbound.account, -subscriptionBytes(held.subscription.filter));
  }
}

/** Memory of a session without its content. */
function baseBytes({ clientId, username }: Identity): number {
  return SESSION_BYTES + textBytes(clientId) + textBytes(username);
}
