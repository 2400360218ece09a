// The outgoing half of a session (MQTT 5.0 4.4, 4.9): its queue, its messages in flight, and their
// repetition on the next connection. Exists with or without a connection and knows no socket, only a
// SessionLink. session.ts has the rest of the Session State; delivery.ts the states of a message.
// Invariant: a Packet Identifier is in `inflight` from its first PUBLISH until PUBACK, PUBCOMP or an
// error ends it, over any number of connections [MQTT5-4.3.2-1, 4.3.3-1].

import { PACKET_ID_MAX } from '../../mqtt/limits.ts';
import type { PublishRun } from '../../mqtt/publish-run.ts';
import type { QoS } from '../../mqtt/publish-view.ts';
import { isFailure } from '../../mqtt/reason-code.ts';
import type { ClientAccount } from '../accounts.ts';
import { isExpired, type Message } from '../message/message.ts';
import type { Publication } from '../message/publication.ts';
import type { DeliveryRecord, Identity } from '../ports.ts';
import { Price } from '../prices.ts';
import type { SharedGroup } from '../routing/shared-group.ts';
import type { Subscriber } from '../routing/subscription.ts';
import type { BridgeRules, QueueLimits } from './bridge-rules.ts';
import { Delivery, DeliveryState } from './delivery.ts';
import { InflightTable } from './inflight-table.ts';
import type { SessionLink } from './link.ts';
import { OutboundQueue, type QueueOwner, recordDrop } from './outbound-queue.ts';
import type { SessionContext } from './session-context.ts';

const NO_IDENTIFIERS: readonly number[] = [];

export class Outbound implements Subscriber, QueueOwner {
  identity: Identity;
  readonly account: ClientAccount;
  /** The store records its deliveries: the store is durable and the session outlives its connection. */
  isPersistent = false;
  limits: QueueLimits;
  /** Set where the client is a bridge, of this node or of another broker. */
  bridge: BridgeRules | undefined;
  /** Messages that found the queue full, since the start of the node. */
  dropped = 0;
  /** Ids rise in the order of delivery. */
  lastDeliveryId = 0;
  #link: SessionLink | undefined;
  readonly #context: SessionContext;
  #queue: OutboundQueue | undefined;
  /** A later turn goes on with the queue: no message overtakes those in it [MQTT5-4.6.0-5]. */
  #isEmptying = false;
  #inflight: InflightTable | undefined;
  /** In flight when the last connection ended, in order, and not yet repeated. */
  #resend: Delivery[] = [];
  /** The store has recorded all of `#resend`. */
  #isResendDurable = false;
  #isWaitingForStore = false;
  #connections = 0;
  /** Deliveries that count against the client's window. */
  #outstanding = 0;
  #lastOrder = 0;

  constructor(identity: Identity, account: ClientAccount, context: SessionContext) {
    this.identity = identity;
    this.account = account;
    this.#context = context;
    this.limits = context.options;
  }

  get online(): boolean {
    return this.#link !== undefined;
  }

  get ready(): boolean {
    const link = this.#link;
    return link !== undefined && !link.congested && this.#windowFree(link) && this.queued === 0;
  }

  get queued(): number {
    return this.#queue?.length ?? 0;
  }

  get queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  /** Of the oldest message that the client has not acknowledged; 0: none. */
  get oldestDeliveryId(): number {
    return this.#inflight?.oldest()?.id ?? this.#queue?.peek()?.id ?? 0;
  }

  get inflight(): number {
    return this.#inflight?.size ?? 0;
  }

  deliver(
    publication: Publication,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void {
    const link = this.#link;
    if (this.bridge !== undefined) {
      this.#deliverToBridge(this.bridge, publication, qos, retain);
    } else if (qos === 0 && link?.congested === false && !this.#isEmptying) {
      link.sendQos0(publication, retain, identifiers);
    } else if (qos > 0 || link !== undefined) {
      this.#accept(publication.message(), qos, retain, identifiers, group);
      // Else many publishers could fill the queue faster than its share of each turn empties it.
      if (this.#isEmptying) this.pump();
    }
  }

  takesRun(run: PublishRun): boolean {
    const link = this.#link;
    if (this.bridge !== undefined) return false;
    if (link === undefined) return true;
    return !link.congested && !this.#isEmptying && link.takesRun?.(run) === true;
  }

  deliverRun(run: PublishRun): void {
    this.#link?.sendRun?.(run);
  }

  /** Each message gets an id that names it on its way over bridges. */
  #deliverToBridge(rules: BridgeRules, publication: Publication, qos: QoS, retain: boolean): void {
    if (rules.onlyOfThisNode && publication.isOfPeer) return;
    const link = this.#link;
    if (qos === 0 && rules.qosMin === 0 && link?.congested === false && this.queued === 0) {
      link.sendQos0(publication, retain && rules.retain, NO_IDENTIFIERS);
      return;
    }
    const message = publication.message();
    this.#context.hops.identify(message, publication);
    this.deliverMessage(message, qos, retain, NO_IDENTIFIERS, undefined);
  }

  deliverMessage(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void {
    const { bridge } = this;
    const atLeast = bridge === undefined ? qos : (Math.max(qos, bridge.qosMin) as QoS);
    const isRetained = retain && bridge?.retain !== false;
    if (atLeast > 0 || this.#link !== undefined) {
      this.#accept(message, atLeast, isRetained, identifiers, group);
    }
  }

  #accept(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void {
    this.lastDeliveryId += 1;
    const delivery = new Delivery(this.lastDeliveryId, message, qos, retain, identifiers, group);
    const link = this.#link;
    if (link === undefined || !this.#sendable(delivery, link) || this.queued > 0) {
      this.#enqueue(delivery);
      return;
    }
    const { queueMemory } = this.#context;
    const bound =
      qos === 0 ? undefined : queueMemory.boundInFlight(message, this.account, this.inflight);
    if (bound === undefined) {
      this.#send(delivery, link);
    } else {
      queueMemory.refused += 1;
      recordDrop(this.#context, this, bound);
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
    this.#context.budget.spend(Price.queuedMessage);
    this.#queue ??= new OutboundQueue(this.#context, this);
    if (this.#queue.admit(delivery)) this.#record(delivery);
  }

  #send(delivery: Delivery, link: SessionLink): void {
    if (delivery.qos === 0) {
      link.sendDelivery(delivery, false);
      return;
    }
    this.#inflight ??= new InflightTable();
    this.#inflight.add(delivery);
    if (delivery.qos === 2 && this.isPersistent) {
      this.#sendOnceDurable(delivery, link);
      return;
    }
    if (!link.sendDelivery(delivery, false)) {
      this.#inflight.delete(delivery.packetId);
      this.finish(delivery);
      return;
    }
    delivery.moveTo(DeliveryState.sent);
    this.#begin(delivery);
  }

  #begin(delivery: Delivery): void {
    delivery.order = ++this.#lastOrder;
    this.#outstanding += 1;
    this.#context.queueMemory.add(delivery, this.account);
    this.#record(delivery);
  }

  /** The client must not see a QoS 2 identifier that a crash of the node could forget. */
  #sendOnceDurable(delivery: Delivery, link: SessionLink): void {
    delivery.moveTo(DeliveryState.held);
    this.#begin(delivery);
    const send = (): void => {
      if (delivery.state !== DeliveryState.held) return;
      if (link.sendDelivery(delivery, false)) {
        delivery.moveTo(DeliveryState.sent);
        return;
      }
      this.#complete(delivery);
      this.pump();
    };
    this.#whenDurable(send);
  }

  #whenDurable(work: () => void): void {
    const { store, budget } = this.#context;
    const state = store.whenDurable((now) => {
      budget.resume(now);
      work();
    });
    if (state === 'durable') work();
  }

  /** Sends repetitions, then queued messages, as far as the client takes them. */
  pump(): void {
    const link = this.#link;
    this.#isEmptying = false;
    if (link === undefined) return;
    this.#pumpResend(link);
    const queue = this.#queue;
    if (queue === undefined || this.#resend.length > 0) return;
    const { budget } = this.#context;
    for (;;) {
      const next = queue.peek();
      if (next === undefined) return;
      if (budget.isSpent) {
        this.#isEmptying = true;
        link.continueLater();
        return;
      }
      if (isExpired(next.message, budget.now)) {
        budget.spend(Price.droppedMessage);
        queue.shift();
        this.#context.stats.publishExpired += 1;
        this.finish(next);
        continue;
      }
      if (!this.#sendable(next, link)) return;
      queue.shift();
      this.#send(next, link);
      if (next.qos === 0) this.finish(next);
    }
  }

  #pumpResend(link: SessionLink): void {
    if (this.#resend.length === 0) return;
    const mustBeDurable = this.isPersistent && !this.#isResendDurable;
    // QoS 1 may arrive twice, so it does not wait for a disk that takes no changes.
    if (mustBeDurable && this.#resend.some(({ qos }) => qos === 2)) {
      this.#resendOnceDurable();
      return;
    }
    let handled = 0;
    for (const delivery of this.#resend) {
      if (link.congested || this.#outstanding >= link.sendWindow) break;
      if (this.#context.budget.isSpent) {
        link.continueLater();
        break;
      }
      handled += 1;
      this.#repeat(delivery, link);
    }
    if (handled > 0) this.#resend.splice(0, handled);
  }

  #repeat(delivery: Delivery, link: SessionLink): void {
    const { state } = delivery;
    if (state === DeliveryState.rerelease) {
      link.sendPubrel(delivery.packetId);
      return;
    }
    // Done otherwise: acknowledged before its repetition, or handed over to another member.
    if (state !== DeliveryState.resend && state !== DeliveryState.unsent) return;
    if (!link.sendDelivery(delivery, state === DeliveryState.resend)) {
      this.#complete(delivery);
      return;
    }
    delivery.moveTo(DeliveryState.sent);
    this.#outstanding += 1;
  }

  /** Asks the store once, however often the client reconnects while the disk is full. */
  #resendOnceDurable(): void {
    if (this.#isWaitingForStore) return;
    this.#isWaitingForStore = true;
    const connection = this.#connections;
    this.#whenDurable(() => {
      this.#isWaitingForStore = false;
      // A later connection has to ask again.
      this.#isResendDurable = this.#connections === connection;
      this.pump();
    });
  }

  /** A connection resumes the session: messages in flight are repeated first [MQTT5-4.4.0-1]. */
  attach(link: SessionLink): void {
    this.#link = link;
    this.#connections += 1;
    this.#isResendDurable = false;
    this.#outstanding = 0;
    this.#resend = this.#inflight?.inOrder() ?? [];
  }

  detach(): void {
    this.#link = undefined;
    this.#outstanding = 0;
    this.#resend = [];
    for (const delivery of this.#inflight?.inOrder() ?? []) {
      const { state } = delivery;
      if (state === DeliveryState.held) delivery.moveTo(DeliveryState.unsent);
      else if (state === DeliveryState.sent) delivery.moveTo(DeliveryState.resend);
      else if (state === DeliveryState.released) delivery.moveTo(DeliveryState.rerelease);
    }
    // QoS 0 messages wait only for a slow connection, not for the next one.
    const queue = this.#queue;
    if (queue === undefined || queue.qos0Count === 0) return;
    for (const delivery of queue.extract(({ qos }) => qos === 0)) this.finish(delivery);
  }

  /** PUBACK. False: no QoS 1 message in flight has this Packet Identifier. */
  handlePuback(packetId: number): boolean {
    const delivery = this.#inflight?.get(packetId);
    if (delivery?.qos !== 1) return false;
    this.#complete(delivery);
    this.pump();
    return true;
  }

  /** PUBREC; PUBREL answers it. False: no QoS 2 message that was sent has this Packet Identifier. */
  handlePubrec(packetId: number, reasonCode: number): boolean {
    const delivery = this.#inflight?.get(packetId);
    if (delivery?.qos !== 2 || !delivery.wasSent) return false;
    if (isFailure(reasonCode)) {
      this.#complete(delivery);
      this.pump();
      return true;
    }
    const isWaiting = delivery.released && !this.#context.store.accepting;
    this.#release(delivery);
    if (!isWaiting) this.#sendPubrel(packetId);
    return true;
  }

  #release(delivery: Delivery): void {
    if (delivery.released) return;
    const isSent = delivery.state === DeliveryState.sent;
    delivery.moveTo(isSent ? DeliveryState.released : DeliveryState.rerelease);
    // Last in order: PUBRELs are repeated in the order of the PUBRECs [MQTT5-4.6.0-4].
    delivery.order = ++this.#lastOrder;
    this.#record(delivery);
  }

  /** PUBREL frees the identifier at the client, so a crash must not repeat the PUBLISH after it. */
  #sendPubrel(packetId: number): void {
    const link = this.#link;
    if (!this.isPersistent) {
      link?.sendPubrel(packetId);
      return;
    }
    this.#whenDurable(() => {
      if (this.#link === link) link?.sendPubrel(packetId);
    });
  }

  /** PUBCOMP. False: no released message has this Packet Identifier. */
  handlePubcomp(packetId: number): boolean {
    const delivery = this.#inflight?.get(packetId);
    if (delivery?.qos !== 2 || !delivery.released) return false;
    this.#complete(delivery);
    this.pump();
    return true;
  }

  /** True while the exchange of this Packet Identifier is not finished. */
  isInflight(packetId: number): boolean {
    return this.#inflight?.get(packetId) !== undefined;
  }

  /** Ends the exchange of a message in flight. */
  #complete(delivery: Delivery): void {
    this.#inflight?.delete(delivery.packetId);
    if (delivery.isInWindow) this.#outstanding -= 1;
    this.finish(delivery);
  }

  /**
   * Takes out messages that another member of their Shared Subscription can have: those never sent
   * and, when the session ends, QoS 1 messages without PUBACK (MQTT 5.0 4.8.2).
   * @returns at most `max`, messages in flight first
   */
  takeShared(ending: boolean, other: (group: SharedGroup) => boolean, max: number): Delivery[] {
    const movable = ({ group }: Delivery): boolean => group !== undefined && other(group);
    const sent = ending ? (this.#inflight?.inOrder() ?? []) : [];
    let taken = sent.filter((delivery) => delivery.qos === 1 && movable(delivery)).slice(0, max);
    if (taken.length === 0 && this.#queue !== undefined && this.#queue.sharedCount > 0) {
      taken = this.#queue.extract(movable, max);
    }
    for (const delivery of taken) {
      if (delivery.state === DeliveryState.queued) this.finish(delivery);
      else this.#complete(delivery);
    }
    return taken;
  }

  /** Drops queued messages and pending repetitions that may no longer be delivered. */
  dropUnwanted(unwanted: (delivery: Delivery) => boolean): void {
    this.#context.budget.spend(Price.droppedMessage * (this.queued + this.inflight));
    const taken = this.#queue?.extract(unwanted) ?? [];
    for (const delivery of taken) this.finish(delivery);
    for (const delivery of this.#inflight?.inOrder() ?? []) {
      if (delivery.isInWindow || !unwanted(delivery)) continue;
      // The client may hold the identifier: without PUBREL it would take its next message for this.
      if (delivery.qos === 2 && delivery.wasSent) this.#release(delivery);
      else this.#complete(delivery);
    }
  }

  /** The session has ended: nothing is owed any more. Yields the price of each step. */
  *dropAll(): Generator<number> {
    this.#queue?.end();
    for (const delivery of this.#inflight?.inOrder() ?? []) {
      this.#complete(delivery);
      yield Price.droppedMessage;
    }
    for (let next = this.#queue?.shift(); next !== undefined; next = this.#queue?.shift()) {
      this.finish(next);
      yield Price.droppedMessage;
    }
  }

  /** Messages that the client is owed with QoS 1 or 2, in order. */
  deliveries(): Delivery[] {
    const waiting = this.#queue?.toArray().filter((delivery) => delivery.qos > 0) ?? [];
    return [...(this.#inflight?.inOrder() ?? []), ...waiting];
  }

  /** Restores the records of a store, given in the order of deliveries(). */
  restoreDeliveries(records: Iterable<DeliveryRecord>): void {
    for (const record of records) {
      const delivery = Delivery.restored(record);
      this.lastDeliveryId = Math.max(this.lastDeliveryId, delivery.id);
      if (delivery.state === DeliveryState.queued) {
        this.#queue ??= new OutboundQueue(this.#context, this);
        this.#queue.restore(delivery);
      } else {
        this.#context.queueMemory.add(delivery, this.account);
        this.#inflight ??= new InflightTable();
        this.#inflight.restore(delivery);
        delivery.order = ++this.#lastOrder;
      }
    }
  }

  /** Records a new delivery or the progress of a known one. */
  #record(delivery: Delivery): void {
    if (!this.isPersistent || delivery.qos === 0) return;
    const { store, budget } = this.#context;
    budget.spend(Price.record);
    const { clientId } = this.identity;
    if (delivery.isInStore) store.updateDelivery(clientId, delivery);
    else store.saveDelivery(clientId, delivery);
    delivery.isInStore = true;
  }

  /** The delivery is done, in whatever way. */
  finish(delivery: Delivery): void {
    delivery.moveTo(DeliveryState.done);
    this.#context.queueMemory.remove(delivery, this.account);
    if (!delivery.isInStore || !this.isPersistent) return;
    this.#context.store.removeDelivery(this.identity.clientId, delivery.id);
  }
}
