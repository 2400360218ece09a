// Distributes a message: to the retained store, to the subscribers of this node, and, if it is local,
// to the other nodes. Knows no clients; checks of topic and access come before.
// Invariant: a message of a peer is never forwarded, nor is a topic that begins with `$`.

import type { QoS } from '../mqtt/publish-view.ts';
import { isReservedTopic } from '../mqtt/topic.ts';
import type { Logger } from '../shared/logger.ts';
import { encodeMessageAsView } from './message/encode-for-peers.ts';
import type { Message } from './message/message.ts';
import { Publication } from './message/publication.ts';
import type { PeerForwarder, SessionStore } from './ports.ts';
import type { RetainedStore } from './retained/retained-store.ts';
import type { Router } from './routing/route.ts';
import type { Subscriber } from './routing/subscription.ts';
import type { RoutedTopic, TopicTable } from './routing/topic-table.ts';
import type { BrokerStats } from './stats.ts';
import type { WorkBudget } from './work-budget.ts';

/** What the distributor needs of the broker. */
export interface DistributorContext {
  readonly topics: TopicTable;
  readonly retained: RetainedStore;
  readonly router: Router;
  readonly store: SessionStore;
  readonly stats: BrokerStats;
  readonly budget: WorkBudget;
  readonly log: Logger;
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

export class Distributor {
  /** Set while the node is in a cluster. */
  forwarder: PeerForwarder | undefined;
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
      const clientId = publisher?.identity.clientId;
      this.forwarder.forward(encodeMessageAsView(message, budget.now), routed.bytes, clientId);
    }
    this.distribute(publication, publisher);
  }

  /**
   * Retains the message if it asks for that, then delivers it to the subscribers of this node.
   * @returns true if a subscriber matched
   */
  distribute(publication: Publication<RoutedTopic>, publisher: Subscriber | undefined): boolean {
    if (publication.retain) this.#retain(publication);
    return this.#context.router.fanOut(publication, publisher) > 0;
  }

  /** An empty payload clears [MQTT5-3.3.1-6, 3.3.1-7]; subscribers still get the message itself. */
  #retain(publication: Publication): void {
    const { retained, store, stats, log } = this.#context;
    const message = publication.message();
    const { name } = message.topic;
    if (message.payload.length === 0) {
      if (retained.remove(name) && store.durable) store.removeRetained(name);
    } else if (!retained.set(message)) {
      stats.retainedRefused += 1;
      log.warn('retained message not kept: the store is full', { topic: name });
    } else if (store.durable && !isReservedTopic(name)) {
      store.saveRetained(message);
    }
  }
}

function makeMessage(topic: RoutedTopic, content: OwnMessage, now: number): Message {
  const { payload, properties, qos, retain, expirySeconds } = content;
  const expiresAt = expirySeconds < 0 ? Number.POSITIVE_INFINITY : now + expirySeconds * 1000;
  return { topic, payload, properties, qos, retain, expiresAt, mark: undefined, holders: 0 };
}
