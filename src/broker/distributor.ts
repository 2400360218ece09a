// Distributes a message: to the retained store, to the subscribers of this node, and, if it is local,
// to the other nodes. Knows no clients; checks of topic and access come before.
// Invariant: a message of a peer is never forwarded, nor is a topic that begins with `$`.

import { moveToNext, type PublishRun } from '../mqtt/publish-run.ts';
import type { PublishView, QoS } from '../mqtt/publish-view.ts';
import { isReservedTopic, isSysTopic } from '../mqtt/topic.ts';
import type { Logger } from '../shared/logger.ts';
import type { BoundLog } from './bound-log.ts';
import { encodeMessageAsView } from './message/encode-for-peers.ts';
import type { Hops } from './message/hops.ts';
import { clearingMessage, type Message } from './message/message.ts';
import { Publication } from './message/publication.ts';
import type { ClientEvents, ForwardResult, PeerForwarder, SessionStore } from './ports.ts';
import { bytesPrice, Price } from './prices.ts';
import type { RetainedStore } from './retained/retained-store.ts';
import type { Router } from './routing/route.ts';
import type { Subscriber } from './routing/subscription.ts';
import type { RoutedTopic, TopicTable } from './routing/topic-table.ts';
import type { QueueMemory } from './session/queue-memory.ts';
import type { BrokerStats } from './stats.ts';
import type { WorkBudget } from './work-budget.ts';

/** What the distributor needs of the broker. */
export interface DistributorContext {
  readonly topics: TopicTable;
  readonly retained: RetainedStore;
  readonly router: Router;
  readonly store: SessionStore;
  readonly stats: BrokerStats;
  readonly hops: Hops;
  readonly budget: WorkBudget;
  readonly log: Logger;
  readonly bounds: BoundLog;
  readonly queueMemory: QueueMemory;
}

/** A message that does not come from a PUBLISH packet: a will, or a value of the broker itself. */
export interface OwnMessage {
  readonly payload: Buffer;
  /** MQTT 5 property bytes that travel with the message. */
  readonly properties: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Message Expiry Interval, seconds; -1 for none. */
  readonly expirySeconds: number;
}

/** The result of a distribution on this node. */
export interface Distribution {
  /** A subscriber of this node matched. */
  isMatched: boolean;
  /** Some, or all, of the subscribers had no room for the message in their queues. */
  isPartlyRefused: boolean;
  isRefused: boolean;
  /** The message asked to be retained, and the store of retained messages is full. */
  isNotRetained: boolean;
}

export class Distributor {
  /** The result of the last distribute(); one object, so that the hot path allocates none. */
  readonly last: Distribution = {
    isMatched: false,
    isPartlyRefused: false,
    isRefused: false,
    isNotRetained: false,
  };
  /** Set while the node is in a cluster. */
  forwarder: PeerForwarder | undefined;
  /** Learns of every message. */
  onPublished: ClientEvents['published'];
  readonly #context: DistributorContext;

  constructor(context: DistributorContext) {
    this.#context = context;
  }

  /** Publishes a will or a message of the broker itself. @param topic a valid Topic Name */
  publish(topic: string, content: OwnMessage, publisher: Subscriber | undefined): void {
    const { topics, budget } = this.#context;
    const routed = topics.intern(topic);
    const message = makeMessage(routed, content, budget.now);
    const publication = new Publication(routed);
    publication.setMessage(message, routed, budget.now);
    if (this.forwarder !== undefined && !isReservedTopic(topic)) {
      const view = encodeMessageAsView(message, budget.now);
      this.forward(publication, view, publisher?.identity.clientId);
    }
    this.distribute(publication, publisher);
  }

  /**
   * Sends a message of this node to the other nodes.
   * @param view the publication as a packet
   * @param clientId the publisher, for the log
   * @returns undefined outside of a cluster
   */
  forward(
    publication: Publication<RoutedTopic>,
    view: PublishView,
    clientId: string | undefined,
  ): ForwardResult | undefined {
    const { forwarder } = this;
    const { hops } = this.#context;
    if (forwarder === undefined) return undefined;
    const result = forwarder.forward(view, publication.topic.bytes, clientId);
    if (result === 'forwarded') {
      publication.setIdentity(hops.seed, forwarder.lastNumber);
    } else if (result === 'tooLarge' && publication.retain) {
      this.#clearOnPeers(publication.topic, clientId);
    }
    return result;
  }

  /**
   * Removes the retained message of the topic on all other nodes, because the one that replaces it
   * is too large to cross: an old value would be worse than none. It has expired, so that their
   * subscribers do not get it: see forgetOutdated().
   */
  #clearOnPeers(topic: RoutedTopic, clientId: string | undefined): void {
    const { now } = this.#context.budget;
    const view = encodeMessageAsView(clearingMessage(topic, now), now);
    this.forwarder?.forward(view, topic.bytes, clientId);
  }

  /**
   * Another node has a retained message that is too large to cross: the older one of this node is out of
   * date. Subscribers hear nothing, as no client has cleared the topic, except those who mirror the retained
   * messages of this node.
   */
  forgetOutdated(topic: RoutedTopic): void {
    const { router, budget } = this.#context;
    const publication = new Publication(topic);
    publication.setMessage(clearingMessage(topic), topic, budget.now);
    publication.isOfPeer = true;
    this.#retain(publication, undefined);
    router.toMirrors(publication);
  }

  /** Retains the message if it asks for that, then delivers it to the subscribers of this node. */
  distribute(publication: Publication<RoutedTopic>, publisher: Subscriber | undefined): void {
    const { last } = this;
    last.isNotRetained = publication.retain && !this.#retain(publication, publisher);
    const { queueMemory } = this.#context;
    const before = queueMemory.refused;
    const matched = this.#context.router.fanOut(publication, publisher);
    const refused = queueMemory.refused - before;
    const each = Price.delivery + bytesPrice(publication.payloadBytes);
    this.#context.budget.spend(Price.message + matched * each);
    last.isMatched = matched > 0;
    last.isPartlyRefused = refused > 0;
    last.isRefused = refused > 0 && refused >= matched;
    if (this.onPublished !== undefined) {
      const message = publication.message();
      this.#context.queueMemory.ownPayload(message);
      this.onPublished(message, publisher?.identity);
    }
  }

  /**
   * Distributes the messages of a run, to the subscribers of this node and to the other nodes. The caller
   * spends the price.
   * @param view the first packet of the run; moves to its last one
   * @returns false: the messages have to go one by one, so none has gone
   */
  distributeRun(
    run: PublishRun,
    view: PublishView,
    topic: RoutedTopic,
    publisher: Subscriber,
  ): boolean {
    if (!this.#context.router.deliverRun(run, topic, publisher)) return false;
    const { forwarder } = this;
    if (forwarder === undefined) return true;
    const { clientId } = publisher.identity;
    forwarder.forward(view, topic.bytes, clientId);
    while (view.end < run.end) {
      moveToNext(view);
      forwarder.forward(view, topic.bytes, clientId);
    }
    return true;
  }

  /** An empty payload clears [MQTT5-3.3.1-6, 3.3.1-7]; subscribers still get the message itself. */
  #retain(publication: Publication, publisher: Subscriber | undefined): boolean {
    const { retained, store, stats, budget } = this.#context;
    const message = publication.message();
    const { name } = message.topic;
    budget.spend(Price.retainedMessage + Price.retainedCharacter * name.length);
    if (message.payload.length === 0) {
      if (retained.remove(name) && store.durable) store.removeRetained(name);
      return true;
    }
    message.publisher = publisher?.identity;
    // The broker's own messages count to no user, and a will to that of its client.
    const limit = retained.set(message, publisher?.account.user);
    if (limit !== undefined) {
      stats.retainedRefused += 1;
      this.#logFull(name, message.publisher?.clientId, limit);
      return false;
    }
    if (store.durable && !isSysTopic(name)) store.saveRetained(message);
    return true;
  }

  #logFull(topic: string, client: string | undefined, bound: string): void {
    const { budget, bounds, log } = this.#context;
    const count = bounds.admit('retained', bound, budget.now);
    if (count === 0) return;
    log.warn('retained message not kept: the store is full', { topic, client, bound, count });
  }
}

function makeMessage(topic: RoutedTopic, content: OwnMessage, now: number): Message {
  const { payload, properties, qos, retain, expirySeconds } = content;
  const expiresAt = expirySeconds < 0 ? Number.POSITIVE_INFINITY : now + expirySeconds * 1000;
  const bookkeeping = {
    publisher: undefined,
    mark: undefined,
    payer: undefined,
    holders: 0,
    hopId: undefined,
    packet: undefined,
  };
  return { topic, payload, properties, qos, retain, expiresAt, ...bookkeeping };
}
