// Sessions that move to another node with their client (src/node/replication/roaming-sessions.ts): the old node
// exports one and keeps it until the new node has it; the new node adopts it before CONNACK.
// Invariant: until the new node has confirmed, the session is whole on the old one, on its disk too.

import { ReasonCode } from '../mqtt/reason-code.ts';
import type { DeliveryRecord, StateWriter, StoredSession } from './ports.ts';
import { exportMoving, sessionRecord } from './session/export-state.ts';
import { type ImportContext, importSession } from './session/import-state.ts';
import type { Session } from './session/session.ts';
import { discardWill } from './session/wills.ts';

/** What a node says of a session that it could hand over. */
export interface SessionOffer {
  readonly isConnected: boolean;
  /** Seconds since its client was connected; Infinity if that is not known. */
  readonly ageSeconds: number;
}

export class MovingSessions {
  readonly #context: ImportContext;

  constructor(context: ImportContext) {
    this.#context = context;
  }

  /** True if this node has a session of the client that outlives its connection. */
  has(clientId: string): boolean {
    return (this.#context.sessions.find(clientId)?.expirySeconds ?? 0) > 0;
  }

  /** Calls back when everything so far is on the disk; at once without -data. */
  whenDurable(done: () => void): void {
    if (this.#context.store.whenDurable(done) === 'durable') done();
  }

  /** What this node says of a session that a client wants to resume on another node. */
  offer(clientId: string, username: string | undefined, now: number): SessionOffer | undefined {
    this.#context.budget.enter(now);
    const session = this.#find(clientId, username);
    if (session === undefined) return undefined;
    const { online, expiryDeadline, expirySeconds } = session;
    const leftAt = (expiryDeadline?.at ?? Number.NaN) - expirySeconds * 1000;
    const age = (now - leftAt) / 1000;
    return { isConnected: online, ageSeconds: Number.isNaN(age) ? Number.POSITIVE_INFINITY : age };
  }

  /**
   * Ends the connection of a client that is on another node now, without its will, and writes its session.
   * @returns the number of its last delivery, for writeTail(); undefined if there is no such session
   */
  write(
    clientId: string,
    username: string | undefined,
    node: string,
    writer: StateWriter,
    now: number,
  ): number | undefined {
    this.#context.budget.enter(now);
    const session = this.#find(clientId, username);
    if (session === undefined) return undefined;
    const reason = `its client connected to ${node}`;
    session.connection?.disconnect(ReasonCode.sessionTakenOver, reason, false);
    discardWill(this.#context, session);
    exportMoving(session, writer);
    return session.outbound.lastDeliveryId;
  }

  /**
   * The other node has the session: writes what was queued after write(), and deletes the session.
   * @returns false if the client is connected here again, or the session has ended
   */
  writeTail(clientId: string, lastId: number, writer: StateWriter, now: number): boolean {
    const { budget, sessions } = this.#context;
    budget.enter(now);
    const session = sessions.find(clientId);
    if (session === undefined || session.online) return false;
    writer.saveSession(sessionRecord(session));
    for (const delivery of session.outbound.deliveries()) {
      if (delivery.id > lastId) writer.saveDelivery(clientId, delivery);
    }
    sessions.endMoved(session);
    return true;
  }

  /**
   * Takes the session of another node in place of one that is here, and writes it to the store.
   * @returns the number of its last delivery; undefined if the client is connected here already
   */
  adopt(stored: StoredSession, now: number): number | undefined {
    const { sessions, store, budget } = this.#context;
    budget.enter(now);
    const older = sessions.find(stored.clientId);
    if (older?.online === true) return undefined;
    if (older !== undefined) sessions.endMoved(older);
    importSession(this.#context, stored);
    const session = sessions.find(stored.clientId)!;
    if (store.durable) {
      exportMoving(session, store);
    } else {
      session.isInStore = false;
      session.outbound.isPersistent = false;
    }
    return session.outbound.lastDeliveryId;
  }

  /**
   * Queues what had been queued on the old node since the session was written there, without what has
   * arrived here as well.
   * @param lastId the last delivery of adopt()
   */
  adoptTail(
    clientId: string,
    lastId: number,
    deliveries: Iterable<DeliveryRecord>,
    now: number,
  ): void {
    this.#context.budget.enter(now);
    const outbound = this.#context.sessions.find(clientId)?.outbound;
    if (outbound === undefined) return;
    const here = new Map<string, number>();
    for (const delivery of outbound.deliveries()) {
      if (delivery.id > lastId) here.set(keyOf(delivery), (here.get(keyOf(delivery)) ?? 0) + 1);
    }
    for (const delivery of deliveries) {
      const same = here.get(keyOf(delivery)) ?? 0;
      here.set(keyOf(delivery), same - 1);
      if (same > 0) continue;
      const { message, qos, retain, identifiers } = delivery;
      outbound.deliverMessage(message, qos, retain, identifiers, undefined);
    }
  }

  /** The session that this node would hand over to the user. */
  #find(clientId: string, username: string | undefined): Session | undefined {
    const { sessions, options } = this.#context;
    const session = sessions.find(clientId);
    if (session === undefined || session.isLocal || session.expirySeconds === 0) return undefined;
    const isOwner = session.identity.username === username;
    return options.clientIdOwner === 'user' && !isOwner ? undefined : session;
  }
}

function keyOf({ message, qos }: DeliveryRecord): string {
  return `${qos} ${message.topic.name}\0${message.payload.toString('latin1')}`;
}
