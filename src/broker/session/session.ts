// The Session State of one client (MQTT 5.0 4.1): its identity, subscriptions, will and expiry, and
// the QoS 2 messages it has not released. outbound.ts is the half towards the client.

import type { ClientAccount } from '../accounts.ts';
import type { Deadline } from '../deadline-queue.ts';
import type { Identity } from '../ports.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { SessionConnection } from './link.ts';
import { Outbound } from './outbound.ts';
import { PacketIdSet } from './packet-id-set.ts';
import type { SessionContext } from './session-context.ts';
import type { Will } from './wills.ts';

/** A subscription and its place in the tree. */
export interface HeldSubscription {
  readonly subscription: Subscription;
  /** The filter without `$share/{ShareName}/`. */
  readonly filter: string;
  readonly group: string | undefined;
}

/** Of sessions without any: a map of their own would take 300 bytes. */
const NO_SUBSCRIPTIONS: ReadonlyMap<string, HeldSubscription> = new Map();

export class Session {
  readonly outbound: Outbound;
  /** Session Expiry Interval, seconds; 0: the session ends with its connection. */
  expirySeconds = 0;
  expiryDeadline: Deadline | undefined;
  will: Will | undefined;
  connection: SessionConnection | undefined;
  /** It outlives its connection, and its account counts it as absent. */
  isAbsent = false;
  /** It belongs to a part of this node, not to a client (local-session.ts). */
  isLocal = false;
  /** The store has it: all of it (`isPersistent`), or only its will if it ends with its connection. */
  isInStore = false;
  /** Changes of its subscriptions that the store has recorded, and how many of these are durable. */
  changes = 0;
  durableChanges = 0;
  readonly #context: SessionContext;
  #subscriptions: Map<string, HeldSubscription> | undefined;
  /** Packet Identifiers of received QoS 2 messages that the client has not released. */
  #received: PacketIdSet | undefined;
  #receivedBytes = 0;

  /** @param account pays for what the session takes of the node's bounds */
  constructor(identity: Identity, account: ClientAccount, context: SessionContext) {
    this.outbound = new Outbound(identity, account, context);
    this.#context = context;
  }

  get identity(): Identity {
    return this.outbound.identity;
  }

  get clientId(): string {
    return this.outbound.identity.clientId;
  }

  /** By Topic Filter. */
  get subscriptions(): ReadonlyMap<string, HeldSubscription> {
    return this.#subscriptions ?? NO_SUBSCRIPTIONS;
  }

  hold(held: HeldSubscription): void {
    this.#subscriptions ??= new Map();
    this.#subscriptions.set(held.subscription.filter, held);
  }

  /** @param filter of a held subscription */
  giveUp(filter: string): void {
    this.#subscriptions?.delete(filter);
  }

  giveUpAll(): void {
    this.#subscriptions = undefined;
  }

  get online(): boolean {
    return this.connection !== undefined;
  }

  /** The store keeps all of it beyond the connection and the process. */
  get isPersistent(): boolean {
    return this.outbound.isPersistent;
  }

  attach(connection: SessionConnection): void {
    this.connection = connection;
    this.outbound.attach(connection.link);
  }

  detach(): void {
    this.connection = undefined;
    this.outbound.detach();
  }

  /** A QoS 2 PUBLISH. False: the client repeats this Packet Identifier [MQTT5-4.3.3-10]. */
  receive(packetId: number): boolean {
    this.#received ??= new PacketIdSet();
    if (this.#received.has(packetId)) return false;
    this.#received.add(packetId);
    this.#charge(this.#received.bytes);
    if (this.isPersistent) this.#context.store.saveReceived(this.clientId, packetId);
    return true;
  }

  hasReceived(packetId: number): boolean {
    return this.#received?.has(packetId) ?? false;
  }

  /** PUBREL. False: the Packet Identifier is unknown. */
  release(packetId: number): boolean {
    if (!this.#received?.delete(packetId)) return false;
    this.#charge(this.#received.bytes);
    if (this.isPersistent) this.#context.store.removeReceived(this.clientId, packetId);
    return true;
  }

  /** The other side has lost its session, and uses all Packet Identifiers anew. */
  forgetReceived(): void {
    for (const packetId of this.received()) this.release(packetId);
  }

  /** Packet Identifiers of QoS 2 messages that the client has not released. */
  received(): readonly number[] {
    return this.#received?.toArray() ?? [];
  }

  /** Restores the record of a store. */
  restoreReceived(packetIds: Iterable<number>): void {
    for (const packetId of packetIds) {
      this.#received ??= new PacketIdSet();
      this.#received.add(packetId);
    }
    this.#charge(this.#received?.bytes ?? 0);
  }

  #charge(bytes: number): void {
    if (bytes === this.#receivedBytes) return;
    this.#context.accounts.charge(this.outbound.account, bytes - this.#receivedBytes);
    this.#receivedBytes = bytes;
  }

  /** The session has ended: gives back what no other part gives back. */
  releaseMemory(): void {
    this.#charge(0);
  }
}
