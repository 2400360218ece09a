// The outgoing half of a session (MQTT 5.0 4.4, 4.9): what waits, what is in flight, what is sent
// again. Lives with or without a connection; knows no socket, only a SessionLink. session.ts has
// the rest of the Session State.
// Invariant: a Packet Identifier is in `inflight` from its first PUBLISH until PUBACK, PUBCOMP or
// an error ends it, over any number of connections [MQTT5-4.3.2-1, 4.3.3-1].

import { PACKET_ID_MAX } from '../../mqtt/limits.ts';
import type { QoS } from '../../mqtt/publish-view.ts';
import { isFailure } from '../../mqtt/reason-code.ts';
import type { Logger } from '../../shared/logger.ts';
import { isExpired, type Message, messageBytes } from '../message/message.ts';
import type { Publication } from '../message/publication.ts';
import type { BrokerOptions } from '../options.ts';
import type { DeliveryRecord, Identity, SessionStore } from '../ports.ts';
import type { SharedGroup } from '../routing/shared-group.ts';
import type { BrokerStats } from '../stats.ts';
import { Delivery, type SessionLink } from './delivery.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import { InflightTable } from './inflight-table.ts';
import type { QueueMemory } from './queue-memory.ts';

/** Smaller messages that were sent at once needn't be counted: the window is bound enough. */
const LARGE_BYTES = 1024;

export interface SessionContext {
  readonly options: BrokerOptions;
  readonly store: SessionStore;
  readonly stats: BrokerStats;
  readonly queueMemory: QueueMemory;
  readonly log: Logger;
}

export class SessionOutput {
  identity: Identity;
  link: SessionLink | undefined;
  /** The store keeps it: there is a store, and the session outlives its connection. */
  saved = false;
  protected readonly context: SessionContext;
  #queue: DeliveryQueue | undefined;
  #inflight: InflightTable | undefined;
  /** What was in flight when the connection ended, in order, to be sent again. */
  #resend: Delivery[] = [];
  /** What is to be sent again on this connection is safe. */
  #isResendSafe = false;
  #isWaiting = false;
  #connections = 0;
  #outstanding = 0;
  #lastOrder = 0;
  #lastDeliveryId = 0;

  constructor(identity: Identity, context: SessionContext) {
    this.identity = identity;
    this.context = context;
  }

  get clientId(): string {
    return this.identity.clientId;
  }

  get online(): boolean {
    return this.link !== undefined;
  }

  /** True if a message handed in now would be sent now, whatever its QoS. */
  get ready(): boolean {
    const { link } = this;
    return link !== undefined && !link.congested && this.#windowFree(link) && this.queued === 0;
  }

  get queued(): number {
    return this.#queue?.length ?? 0;
  }

  get inflight(): number {
    return this.#inflight?.size ?? 0;
  }

  /** Hands the session a message: sent at once where it can be, queued or dropped where not. */
  deliver(
    publication: Publication,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void {
    const { link } = this;
    if (qos === 0) {
      if (link === undefined) return;
      if (!link.congested) {
        link.sendQos0(publication, retain, identifiers);
        return;
      }
    }
    this.#accept(publication.message(), qos, retain, identifiers, group);
  }

  /** The same for a message that is not on its way through the router: retained, or handed over. */
  deliverMessage(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void {
    if (qos > 0 || this.link !== undefined) this.#accept(message, qos, retain, identifiers, group);
  }

  #accept(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void {
    this.#lastDeliveryId += 1;
    const delivery = new Delivery(this.#lastDeliveryId, message, qos, retain, identifiers, group);
    const { link } = this;
    if (link !== undefined && this.#sendable(delivery, link) && this.queued === 0) {
      this.#send(delivery, link);
    } else {
      this.#enqueue(delivery);
    }
  }

  #windowFree(link: SessionLink): boolean {
    return (
      this.#outstanding < link.sendWindow &&
      this.#resend.length === 0 &&
      this.inflight < PACKET_ID_MAX
    );
  }

  #sendable(delivery: Delivery, link: SessionLink): boolean {
    return !link.congested && (delivery.qos === 0 || this.#windowFree(link));
  }

  #enqueue(delivery: Delivery): void {
    const { options, stats, queueMemory, log } = this.context;
    this.#queue ??= new DeliveryQueue();
    const queue = this.#queue;
    const bytes = messageBytes(delivery.message);
    const isNodeFull = (): boolean =>
      queueMemory.bytes + queueMemory.costOf(delivery.message) > options.queueMemoryBytesMax;
    const full = (): boolean =>
      queue.length >= options.queueMessagesMax ||
      queue.bytes + bytes > options.queueBytesMax ||
      isNodeFull();
    if (isNodeFull()) log.warn('no memory for more queued messages', { client: this.clientId });
    if (full() && options.queueDrop === 'oldest') {
      while (full()) {
        const oldest = queue.shift();
        if (oldest === undefined) break;
        stats.publishDropped += 1;
        this.#forget(oldest);
      }
    }
    if (full()) {
      stats.publishDropped += 1;
      return;
    }
    queue.push(delivery);
    queueMemory.add(delivery);
    this.#save(delivery);
  }

  #send(delivery: Delivery, link: SessionLink): void {
    if (delivery.qos === 0) {
      link.sendDelivery(delivery, false);
      return;
    }
    this.#inflight ??= new InflightTable();
    this.#inflight.add(delivery);
    if (delivery.qos === 2 && this.saved) {
      this.#sendWhenSafe(delivery, link);
      return;
    }
    if (!link.sendDelivery(delivery, false)) {
      this.#inflight.delete(delivery.packetId);
      this.#forget(delivery);
      return;
    }
    this.#begin(delivery);
  }

  #begin(delivery: Delivery): void {
    delivery.order = ++this.#lastOrder;
    delivery.outstanding = true;
    this.#outstanding += 1;
    if (delivery.message.payload.length >= LARGE_BYTES) this.context.queueMemory.add(delivery);
    this.#save(delivery);
  }

  /** The client must not see an identifier that a crash could make us forget: once means once. */
  #sendWhenSafe(delivery: Delivery, link: SessionLink): void {
    this.#begin(delivery);
    delivery.unsent = true;
    this.context.store.whenDurable(() => {
      const current = this.link === link && this.#inflight?.get(delivery.packetId) === delivery;
      if (!current) return;
      delivery.unsent = false;
      if (link.sendDelivery(delivery, false)) return;
      this.#complete(delivery);
      this.pump();
    });
  }

  /** Sends what waits, as far as window and connection allow. */
  pump(): void {
    const { link } = this;
    if (link === undefined) return;
    this.#pumpResend(link);
    const queue = this.#queue;
    if (queue === undefined || this.#resend.length > 0) return;
    for (;;) {
      const next = queue.peek();
      if (next === undefined) return;
      if (isExpired(next.message, link.now)) {
        queue.shift();
        this.context.stats.publishExpired += 1;
        this.#forget(next);
        continue;
      }
      if (!this.#sendable(next, link)) return;
      queue.shift();
      this.#send(next, link);
      if (next.qos === 0) this.#forget(next);
    }
  }

  #pumpResend(link: SessionLink): void {
    if (this.#resend.length === 0) return;
    const mustBeSafe = this.saved && !this.#isResendSafe;
    // QoS 1 may come twice: it needn't wait for a disk that takes nothing.
    if (mustBeSafe && this.#resend.some(({ qos }) => qos === 2)) {
      this.#resendWhenSafe();
      return;
    }
    let done = 0;
    for (const delivery of this.#resend) {
      if (link.congested || this.#outstanding >= link.sendWindow) break;
      done += 1;
      // Acknowledged early, or taken over by another member meanwhile.
      if (this.#inflight?.get(delivery.packetId) !== delivery) continue;
      if (delivery.released) {
        link.sendPubrel(delivery.packetId);
        continue;
      }
      const dup = !delivery.unsent;
      delivery.unsent = false;
      if (!link.sendDelivery(delivery, dup)) {
        this.#complete(delivery);
        continue;
      }
      delivery.outstanding = true;
      this.#outstanding += 1;
    }
    if (done > 0) this.#resend.splice(0, done);
  }

  /** The store is asked once, however often the client comes and goes while the disk is full. */
  #resendWhenSafe(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const connection = this.#connections;
    this.context.store.whenDurable(() => {
      this.#isWaiting = false;
      // For a later connection it asks anew.
      this.#isResendSafe = this.#connections === connection;
      this.pump();
    });
  }

  /** A connection takes the session up: what was in flight goes out again first [MQTT5-4.4.0-1]. */
  attach(link: SessionLink): void {
    this.link = link;
    this.#connections += 1;
    this.#isResendSafe = false;
    this.#outstanding = 0;
    this.#resend = this.#inflight?.inOrder() ?? [];
  }

  detach(): void {
    this.link = undefined;
    this.#outstanding = 0;
    this.#resend = [];
    for (const delivery of this.#inflight?.inOrder() ?? []) delivery.outstanding = false;
    // QoS 0 waits only for a slow connection, not for a new one.
    const dropped = this.#queue?.extract((delivery) => delivery.qos === 0) ?? [];
    for (const delivery of dropped) this.#forget(delivery);
  }

  /** PUBACK. False: no such Packet Identifier in flight with QoS 1. */
  handlePuback(packetId: number): boolean {
    const delivery = this.#inflight?.get(packetId);
    if (delivery?.qos !== 1) return false;
    this.#complete(delivery);
    this.pump();
    return true;
  }

  /** PUBREC; answered with PUBREL. False: no such Packet Identifier in flight with QoS 2. */
  handlePubrec(packetId: number, reasonCode: number): boolean {
    const delivery = this.#inflight?.get(packetId);
    if (delivery?.qos !== 2) return false;
    if (isFailure(reasonCode)) {
      this.#complete(delivery);
      this.pump();
      return true;
    }
    const isWaiting = delivery.released && !this.context.store.accepting;
    this.#setReleased(delivery);
    if (!isWaiting) this.#sendPubrel(packetId);
    return true;
  }

  #setReleased(delivery: Delivery): void {
    if (delivery.released) return;
    delivery.released = true;
    // Behind the others: PUBRELs are sent again in the order of the PUBRECs [MQTT5-4.6.0-4].
    delivery.order = ++this.#lastOrder;
    this.#save(delivery);
  }

  /** After PUBREL the client forgets the identifier: a crash must not make us send PUBLISH again. */
  #sendPubrel(packetId: number): void {
    const { link } = this;
    if (!this.saved) {
      link?.sendPubrel(packetId);
      return;
    }
    this.context.store.whenDurable(() => {
      if (this.link === link) link?.sendPubrel(packetId);
    });
  }

  /** PUBCOMP. False: no Packet Identifier in flight that waits for it. */
  handlePubcomp(packetId: number): boolean {
    const delivery = this.#inflight?.get(packetId);
    if (delivery?.qos !== 2 || !delivery.released) return false;
    this.#complete(delivery);
    this.pump();
    return true;
  }

  /** True while a message sent with this Packet Identifier is not finished. */
  isInflight(packetId: number): boolean {
    return this.#inflight?.get(packetId) !== undefined;
  }

  #complete(delivery: Delivery): void {
    this.#inflight?.delete(delivery.packetId);
    if (delivery.outstanding) {
      delivery.outstanding = false;
      this.#outstanding -= 1;
    }
    this.#forget(delivery);
  }

  /**
   * Takes out what another member of a shared subscription can have: what was never sent and, when
   * the session ends, QoS 1 that was not acknowledged (MQTT 5.0 4.8.2).
   * @returns so many at most, those that are in flight first
   */
  takeShared(ending: boolean, other: (group: SharedGroup) => boolean, max: number): Delivery[] {
    const movable = (delivery: Delivery): boolean =>
      delivery.group !== undefined && other(delivery.group);
    const sent = ending ? (this.#inflight?.inOrder() ?? []) : [];
    let taken = sent.filter((delivery) => delivery.qos === 1 && movable(delivery)).slice(0, max);
    if (taken.length === 0) taken = this.#queue?.extract(movable, max) ?? [];
    for (const delivery of taken) {
      if (delivery.packetId > 0) this.#complete(delivery);
      else this.#forget(delivery);
    }
    return taken;
  }

  /** Drops what waits, or would be sent again, and may not be delivered any more. */
  dropUnwanted(unwanted: (message: Message) => boolean): void {
    const taken = this.#queue?.extract((delivery) => unwanted(delivery.message)) ?? [];
    for (const delivery of taken) this.#forget(delivery);
    for (const delivery of this.#inflight?.inOrder() ?? []) {
      if (delivery.outstanding || !unwanted(delivery.message)) continue;
      // The client may know it: without a PUBREL it would take the identifier's next one for it.
      if (delivery.qos === 2 && !delivery.unsent) this.#setReleased(delivery);
      else this.#complete(delivery);
    }
  }

  /** The session has ended: nothing is owed any more. */
  dropAll(): void {
    for (const delivery of this.#inflight?.inOrder() ?? []) this.#complete(delivery);
    for (const delivery of this.#queue?.extract(() => true) ?? []) this.#forget(delivery);
  }

  /** What is owed to the client with QoS 1 or 2, in order. */
  deliveries(): Delivery[] {
    const waiting = this.#queue?.toArray().filter((delivery) => delivery.qos > 0) ?? [];
    return [...(this.#inflight?.inOrder() ?? []), ...waiting];
  }

  /** Puts back what a store kept, in the order of deliveries(). */
  restoreDeliveries(records: Iterable<DeliveryRecord>): void {
    for (const record of records) {
      const { id, message, qos, retain, identifiers } = record;
      const delivery = new Delivery(id, message, qos, retain, identifiers, undefined);
      this.context.queueMemory.add(delivery);
      delivery.saved = true;
      delivery.released = record.released;
      this.#lastDeliveryId = Math.max(this.#lastDeliveryId, id);
      if (record.packetId > 0) {
        delivery.packetId = record.packetId;
        this.#inflight ??= new InflightTable();
        this.#inflight.restore(delivery);
        delivery.order = ++this.#lastOrder;
      } else {
        this.#queue ??= new DeliveryQueue();
        this.#queue.push(delivery);
      }
    }
  }

  #save(delivery: Delivery): void {
    if (!this.saved || delivery.qos === 0) return;
    const { store } = this.context;
    if (delivery.saved) {
      store.updateDelivery(this.clientId, delivery);
    } else {
      delivery.saved = true;
      store.saveDelivery(this.clientId, delivery);
    }
  }

  #forget(delivery: Delivery): void {
    this.context.queueMemory.remove(delivery);
    if (!delivery.saved || !this.saved) return;
    this.context.store.removeDelivery(this.clientId, delivery.id);
  }
}
