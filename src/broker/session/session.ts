// The Session State of one client (MQTT 5.0 4.1): who it is, its subscriptions, its will, how long it
// lasts, QoS 2 receipts. What goes out to the client stands in session-output.ts.

import type { Deadline } from '../deadline-queue.ts';
import type { Subscription } from '../routing/subscription-tree.ts';
import { SessionOutput } from './outbound.ts';
import { PacketIdSet } from './packet-id-set.ts';
import type { Will } from './wills.ts';

/** A subscription with where it stands in the tree. */
export interface HeldSubscription {
  readonly subscription: Subscription;
  /** The filter without `$share/{group}/`. */
  readonly filter: string;
  readonly group: string | undefined;
}

export class Session extends SessionOutput {
  /** Seconds that the session outlives its connection. */
  expirySeconds = 0;
  expiryDeadline: Deadline | undefined;
  will: Will | undefined;
  /** The store knows it: all of it (`saved`) or, where it ends with its connection, only its will. */
  stored = false;
  /** Of its subscriptions: how many the store was told, and how many of these are safe. */
  changes = 0;
  safeChanges = 0;
  readonly subscriptions = new Map<string, HeldSubscription>();
  /** Packet Identifiers of QoS 2 messages received and not yet released by the client. */
  #received: PacketIdSet | undefined;

  /** QoS 2 from the client. False: this Packet Identifier is a repetition [MQTT5-4.3.3-10]. */
  receive(packetId: number): boolean {
    this.#received ??= new PacketIdSet();
    if (this.#received.has(packetId)) return false;
    this.#received.add(packetId);
    if (this.saved) this.context.store.saveReceived(this.clientId, packetId);
    return true;
  }

  hasReceived(packetId: number): boolean {
    return this.#received?.has(packetId) ?? false;
  }

  /** PUBREL from the client. False: the Packet Identifier is not known. */
  release(packetId: number): boolean {
    if (!this.#received?.delete(packetId)) return false;
    if (this.saved) this.context.store.removeReceived(this.clientId, packetId);
    return true;
  }

  /** Packet Identifiers of QoS 2 messages that the client has not released. */
  received(): readonly number[] {
    return this.#received?.toArray() ?? [];
  }

  /** Puts back what a store kept. */
  restoreReceived(packetIds: Iterable<number>): void {
    for (const packetId of packetIds) {
      this.#received ??= new PacketIdSet();
      this.#received.add(packetId);
    }
  }
}
