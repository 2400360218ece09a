// PUBLISH of a client or a peer (MQTT 5.0 3.3, 4.3): decoding, topic, access and QoS; then the
// Distributor takes over. The first half of the hot path; routing/route.ts is the second.
// Invariant: a PUBLISH of a peer is never forwarded.

import { FirstByte } from '../../mqtt/packet-type.ts';
import { PublishProperties, readPublishProperties } from '../../mqtt/properties.ts';
import { malformed, type ProtocolFault, protocolFault } from '../../mqtt/protocol-fault.ts';
import { decodePublish } from '../../mqtt/publish-decoder.ts';
import { PublishView } from '../../mqtt/publish-view.ts';
import { isFailure, ReasonCode } from '../../mqtt/reason-code.ts';
import { isClosedToClients, isReservedTopicBytes } from '../../mqtt/topic.ts';
import { isStrictUtf8, isWellFormed } from '../../mqtt/utf8.ts';
import type { BrokerContext } from '../context.ts';
import { identityFields } from '../log-fields.ts';
import { Publication } from '../message/publication.ts';
import type { ForwardResult } from '../ports.ts';
import { Price } from '../prices.ts';
import type { RoutedTopic } from '../routing/topic-table.ts';
import type { Client } from './client.ts';
import { memoryFault } from './connection-memory.ts';
import { recordDenial } from './denial.ts';
import { RunPublisher } from './run-publisher.ts';
import { InboundAliases } from './topic-aliases.ts';

const ILL_FORMED_TOPIC = malformed('the Topic Name is not well-formed UTF-8 without U+0000');
const INVALID_TOPIC: ProtocolFault = {
  reasonCode: ReasonCode.topicNameInvalid,
  text: 'the Topic Name is empty, has a wildcard, or exceeds the limits',
};
const NO_TOPIC = protocolFault('neither a Topic Name nor a Topic Alias');
const UNKNOWN_ALIAS = protocolFault('a Topic Alias that was never set');
const INVALID_ALIAS: ProtocolFault = {
  reasonCode: ReasonCode.topicAliasInvalid,
  text: 'a Topic Alias above the maximum',
};
const TOO_MANY: ProtocolFault = {
  reasonCode: ReasonCode.receiveMaximumExceeded,
  text: 'more unacknowledged messages than the Receive Maximum',
};
const QOS_UNSUPPORTED: ProtocolFault = {
  reasonCode: ReasonCode.qosNotSupported,
  text: 'a QoS above the maximum',
};
const RETAIN_UNSUPPORTED: ProtocolFault = {
  reasonCode: ReasonCode.retainNotSupported,
  text: 'RETAIN is not available',
};

/** Reason Strings for an accepted message that does not reach everything it should. */
const THIS_NODE_ONLY = 'too large to cross to other nodes: delivered on this node only';
const NOT_SENT = 'not sent to other nodes: the queue to them is full';
const NOT_RETAINED = 'not retained: the store of retained messages is full';
const NOT_QUEUED = 'not delivered to all subscribers: some queues are full';
const NEVER = Number.POSITIVE_INFINITY;

/** One for all clients: it reuses its view and its publication. */
export class PublishHandler {
  readonly #context: BrokerContext;
  readonly #view = new PublishView();
  readonly #properties = new PublishProperties();
  readonly #publication: Publication<RoutedTopic>;
  readonly #runs: RunPublisher;
  #topic: RoutedTopic;

  constructor(context: BrokerContext) {
    this.#context = context;
    this.#topic = context.topics.intern('-');
    this.#publication = new Publication(this.#topic);
    this.#runs = new RunPublisher(context);
  }

  /** @returns the fault that ends the connection, or undefined */
  handlePublish(
    client: Client,
    buffer: Buffer,
    start: number,
    bodyStart: number,
    end: number,
  ): ProtocolFault | undefined {
    const view = this.#view;
    const fault =
      decodePublish(view, buffer, start, bodyStart, end, client.version) ??
      this.#readProperties(view) ??
      this.#findTopic(client, view) ??
      this.#checkSupport(client, view);
    if (fault !== undefined) return fault;
    const { stats } = this.#context;
    stats.publishReceived += 1;
    client.publishReceived += 1;
    stats.publishReceivedBytes += end - start;
    if (view.qos === 0) {
      const isAccepted = this.#refusal(client, view) === 0;
      if (isAccepted && !this.#runs.publish(client, view, this.#topic)) this.#publish(client, view);
      return undefined;
    }
    return view.qos === 1 ? this.#handleQos1(client, view) : this.#handleQos2(client, view);
  }

  #handleQos1(client: Client, view: PublishView): ProtocolFault | undefined {
    const { packetId } = view;
    if (!client.received.begin(packetId)) return TOO_MANY;
    let reasonCode = this.#refusal(client, view) || this.#refusalOfStore();
    let remark: string | undefined;
    if (reasonCode === 0) {
      const result = this.#publish(client, view);
      reasonCode = this.#isLost(result) ? ReasonCode.quotaExceeded : this.#answer(result);
      remark = this.#remark(result);
    }
    client.received.acknowledge(FirstByte.puback, packetId, reasonCode, remark);
    return undefined;
  }

  /** Delivery starts with PUBLISH; a repetition before PUBREL is only answered (4.3.3). */
  #handleQos2(client: Client, view: PublishView): ProtocolFault | undefined {
    const { packetId } = view;
    if (!client.received.begin(packetId)) return TOO_MANY;
    let reasonCode = this.#refusal(client, view);
    if (reasonCode === 0 && !client.session!.hasReceived(packetId)) {
      reasonCode = this.#refusalOfStore();
    }
    // MQTT 3 cannot refuse: the exchange completes without a delivery.
    const isRefused = isFailure(reasonCode) && client.version === 5;
    let remark: string | undefined;
    if (!isRefused && client.session!.receive(packetId) && reasonCode === 0) {
      const result = this.#publish(client, view);
      reasonCode = this.#answer(result);
      remark = this.#remark(result);
    }
    const answer = client.version === 5 ? reasonCode : ReasonCode.success;
    client.received.acknowledge(FirstByte.pubrec, packetId, answer, remark);
    return undefined;
  }

  /**
   * 0x10 only where it is true of the cluster: no subscriber matched here, and no other node can have
   * one. A message that should cross may have subscribers there.
   */
  #answer(result: ForwardResult | undefined): number {
    const { isMatched } = this.#context.distributor.last;
    return isMatched || mayCross(result) ? ReasonCode.success : ReasonCode.noMatchingSubscribers;
  }

  /**
   * No subscriber had room for the message, and nothing else has taken it. A QoS 2 message cannot be
   * refused any more: its Packet Identifier is in use.
   */
  #isLost(result: ForwardResult | undefined): boolean {
    const { isRefused, isMatched, isNotRetained } = this.#context.distributor.last;
    return (isRefused || (isNotRetained && !isMatched)) && !mayCross(result);
  }

  #remark(result: ForwardResult | undefined): string | undefined {
    const { isNotRetained, isPartlyRefused } = this.#context.distributor.last;
    if (isNotRetained) return NOT_RETAINED;
    if (isPartlyRefused) return NOT_QUEUED;
    if (result === 'tooLarge') return THIS_NODE_ONLY;
    return result === 'discarded' ? NOT_SENT : undefined;
  }

  #refusalOfStore(): number {
    return this.#context.store.accepting ? 0 : ReasonCode.quotaExceeded;
  }

  #readProperties(view: PublishView): ProtocolFault | undefined {
    const properties = this.#properties;
    if (view.propertiesEnd === view.propertiesStart) {
      properties.reset();
      return undefined;
    }
    const { buffer, propertiesStart, propertiesEnd } = view;
    return readPublishProperties(buffer, propertiesStart, propertiesEnd, properties);
  }

  #findTopic(client: Client, view: PublishView): ProtocolFault | undefined {
    const { topicAlias } = this.#properties;
    if (topicAlias > this.#context.options.topicAliasMaximum) return INVALID_ALIAS;
    const { buffer, topicStart, topicEnd } = view;
    if (topicStart === topicEnd) {
      if (topicAlias === 0) return NO_TOPIC;
      const topic = client.inboundAliases?.get(topicAlias);
      if (topic === undefined) return UNKNOWN_ALIAS;
      this.#topic = topic;
      return undefined;
    }
    const topic = this.#context.topics.find(buffer, topicStart, topicEnd);
    if (topic === undefined) {
      return isStrictUtf8(buffer, topicStart, topicEnd) ? INVALID_TOPIC : ILL_FORMED_TOPIC;
    }
    this.#topic = topic;
    if (topicAlias > 0) {
      client.inboundAliases ??= new InboundAliases(client.memory);
      const bound = client.inboundAliases.set(topicAlias, topic);
      if (bound !== undefined) return memoryFault(this.#context, client, 'alias', bound);
    }
    return undefined;
  }

  #checkSupport(client: Client, view: PublishView): ProtocolFault | undefined {
    const { maximumQos, retainAvailable } = this.#context.options;
    const isQosTaken = view.qos === 0 || view.qos <= (client.listener.maximumQos ?? maximumQos);
    if (!isQosTaken) return QOS_UNSUPPORTED;
    if (view.retain && !retainAvailable) return RETAIN_UNSUPPORTED;
    return undefined;
  }

  /** Reason Code for a well-formed message that the broker does not accept, else 0. */
  #refusal(client: Client, view: PublishView): number {
    const topic = this.#topic;
    const may = this.#context.authorizer.permissive || this.#mayPublish(client, topic.name);
    const isClosed = isReservedTopicBytes(topic.bytes) && isClosedToClients(topic.name);
    if (!may || isClosed) {
      recordDenial(this.#context, client.session!.identity, 'publish', topic.name);
      return ReasonCode.notAuthorized;
    }
    if (this.#properties.payloadIsText && !isWellFormed(view.buffer, view.payloadStart, view.end)) {
      return ReasonCode.payloadFormatInvalid;
    }
    const bytes = view.end - view.payloadStart;
    return bytes > this.#context.options.payloadBytesMax ? this.#dropTooLarge(client, bytes) : 0;
  }

  /** As mosquitto's message_size_limit: the connection stays, and the QoS exchange is completed. */
  #dropTooLarge(client: Client, bytes: number): number {
    const { budget, log, options, stats } = this.#context;
    stats.publishDropped += 1;
    budget.spend(Price.denial);
    log.info('publish dropped: the payload exceeds message-size-limit', {
      ...identityFields(client.session!.identity),
      topic: this.#topic.name,
      bytes,
      limit: options.payloadBytesMax,
    });
    return ReasonCode.implementationSpecificError;
  }

  #mayPublish(client: Client, topic: string): boolean {
    const { authorizer, budget } = this.#context;
    const before = authorizer.work;
    const mayPublish = authorizer.mayPublish(client.session!.identity, topic);
    budget.spend(authorizer.work - before);
    return mayPublish;
  }

  /** @returns undefined outside of a cluster */
  #publish(client: Client, view: PublishView): ForwardResult | undefined {
    const { distributor, budget } = this.#context;
    const { forwardable, expirySeconds } = this.#properties;
    const topic = this.#topic;
    if (this.#properties.hopsEnd > 0 && this.#isRepeated(view, topic, true)) {
      return this.#dropRepeated();
    }
    const { outbound } = client.session!;
    const verbatim = forwardable && view.topicEnd > view.topicStart;
    const expiresAt = expirySeconds < 0 ? NEVER : budget.now + expirySeconds * 1000;
    this.#publication.setView(view, topic, expiresAt, verbatim, budget.now);
    // With a bridge on each node, the others have the message from the far side themselves.
    const result =
      outbound.bridge?.onlyOfThisNode === true
        ? undefined
        : distributor.forward(this.#publication, view, outbound.identity.clientId);
    distributor.distribute(this.#publication, outbound);
    return result;
  }

  /** True for a message that has been at this site already: one of a bridge, of any broker. */
  #isRepeated({ buffer }: PublishView, topic: RoutedTopic, isFromOutside: boolean): boolean {
    const { hopsStart, hopsEnd } = this.#properties;
    const { hops } = this.#context;
    return hops.isRepeated(buffer, hopsStart, hopsEnd, topic, isFromOutside);
  }

  /** The bridge gets the acknowledgement of a message that is published. */
  #dropRepeated(): undefined {
    const { stats, distributor } = this.#context;
    stats.publishRepeated += 1;
    distributor.last.isMatched = true;
    distributor.last.isNotRetained = false;
    return undefined;
  }

  /**
   * A PUBLISH of a peer, which has checked access and acknowledged it.
   * @param number of the message in the peer's stream; undefined where the message is repeated
   */
  handlePeerPublish(view: PublishView, origin: number, number: number | undefined): void {
    const { topics, stats, distributor, budget } = this.#context;
    if (this.#readProperties(view) !== undefined) return;
    const topic = topics.find(view.buffer, view.topicStart, view.topicEnd);
    if (topic === undefined || isReservedTopicBytes(topic.bytes)) return;
    stats.peerReceived += 1;
    const hasHops = this.#properties.hopsEnd > 0 && number !== undefined;
    if (hasHops && this.#isRepeated(view, topic, false)) {
      this.#dropRepeated();
      return;
    }
    const { forwardable, expirySeconds } = this.#properties;
    if (expirySeconds === 0 && view.retain && view.payloadStart === view.end) {
      distributor.forgetOutdated(topic);
      return;
    }
    const expiresAt = expirySeconds < 0 ? NEVER : budget.now + expirySeconds * 1000;
    this.#publication.setView(view, topic, expiresAt, forwardable, budget.now);
    this.#publication.isOfPeer = true;
    if (number === undefined) this.#publication.setRepeated();
    else this.#publication.setIdentity(origin, number);
    distributor.distribute(this.#publication, undefined);
  }
}

/** A message that should cross may have subscribers on other nodes. */
function mayCross(result: ForwardResult | undefined): boolean {
  return result !== undefined && result !== 'noPeers' && result !== 'filtered';
}
