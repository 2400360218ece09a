// What a client's PUBLISH goes through: decoding, topic, rights, QoS, then retained store, local
// subscribers and peers (MQTT 5.0 3.3, 4.3). The first half of the hot path; route.ts is the second.

import { FirstByte } from '../../mqtt/packet-type.ts';
import { PublishProperties, readPublishProperties } from '../../mqtt/properties.ts';
import { malformed, type ProtocolFault, protocolFault } from '../../mqtt/protocol-fault.ts';
import { decodePublish } from '../../mqtt/publish-decoder.ts';
import { PublishView } from '../../mqtt/publish-view.ts';
import { isFailure, ReasonCode } from '../../mqtt/reason-code.ts';
import { isReservedTopicBytes } from '../../mqtt/topic.ts';
import { isStrictUtf8, isWellFormed } from '../../mqtt/utf8.ts';
import type { Broker } from '../broker.ts';
import { Publication } from '../message/publication.ts';
import type { RoutedTopic } from '../routing/topic-table.ts';
import type { Client } from './client.ts';
import { InboundAliases } from './topic-aliases.ts';

const ILL_FORMED_TOPIC = malformed('the Topic Name is not well-formed UTF-8 without U+0000');
const INVALID_TOPIC: ProtocolFault = {
  reasonCode: ReasonCode.topicNameInvalid,
  text: 'the Topic Name has a wildcard, no character, or is beyond the limits',
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

export class PublishHandler {
  readonly #broker: Broker;
  readonly #view = new PublishView();
  readonly #properties = new PublishProperties();
  readonly #publication: Publication;
  #topic: RoutedTopic;

  constructor(broker: Broker) {
    this.#broker = broker;
    this.#topic = broker.topics.intern('-');
    this.#publication = new Publication(this.#topic);
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
      this.#checkSupport(view);
    if (fault !== undefined) return fault;
    const { stats } = this.#broker;
    stats.publishReceived += 1;
    stats.publishReceivedBytes += end - start;
    if (view.qos === 0) {
      if (this.#refusal(client, view) === 0) this.#publish(client, view);
      return undefined;
    }
    return view.qos === 1 ? this.#handleQos1(client, view) : this.#handleQos2(client, view);
  }

  #handleQos1(client: Client, view: PublishView): ProtocolFault | undefined {
    const { packetId } = view;
    if (!client.begin(packetId)) return TOO_MANY;
    let reasonCode = this.#refusal(client, view) || this.#refusalOfStore();
    if (reasonCode === 0 && !this.#publish(client, view)) {
      reasonCode = ReasonCode.noMatchingSubscribers;
    }
    client.acknowledge(FirstByte.puback, packetId, reasonCode);
    return undefined;
  }

  /** Onward delivery starts with PUBLISH; a repetition before PUBREL is answered only (4.3.3). */
  #handleQos2(client: Client, view: PublishView): ProtocolFault | undefined {
    const { packetId } = view;
    if (!client.begin(packetId)) return TOO_MANY;
    let reasonCode = this.#refusal(client, view);
    if (reasonCode === 0 && !client.session!.hasReceived(packetId)) {
      reasonCode = this.#refusalOfStore();
    }
    // Before MQTT 5 there is no way to refuse: the exchange runs its course without effect.
    const over = isFailure(reasonCode) && client.version === 5;
    if (!over && client.session!.receive(packetId) && reasonCode === 0) {
      if (!this.#publish(client, view)) reasonCode = ReasonCode.noMatchingSubscribers;
    }
    client.acknowledge(FirstByte.pubrec, packetId, client.version === 5 ? reasonCode : 0);
    return undefined;
  }

  #refusalOfStore(): number {
    return this.#broker.store.accepting ? 0 : ReasonCode.quotaExceeded;
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
    if (topicAlias > this.#broker.options.topicAliasMaximum) return INVALID_ALIAS;
    const { buffer, topicStart, topicEnd } = view;
    if (topicStart === topicEnd) {
      if (topicAlias === 0) return NO_TOPIC;
      const topic = client.inbound?.get(topicAlias);
      if (topic === undefined) return UNKNOWN_ALIAS;
      this.#topic = topic;
      return undefined;
    }
    const topic = this.#broker.topics.find(buffer, topicStart, topicEnd);
    if (topic === undefined) {
      return isStrictUtf8(buffer, topicStart, topicEnd) ? INVALID_TOPIC : ILL_FORMED_TOPIC;
    }
    this.#topic = topic;
    if (topicAlias > 0) {
      client.inbound ??= new InboundAliases();
      client.inbound.set(topicAlias, topic);
    }
    return undefined;
  }

  #checkSupport(view: PublishView): ProtocolFault | undefined {
    const { maximumQos, retainAvailable } = this.#broker.options;
    if (view.qos > maximumQos) return QOS_UNSUPPORTED;
    if (view.retain && !retainAvailable) return RETAIN_UNSUPPORTED;
    return undefined;
  }

  /** Reason Code for a message that is well-formed but not taken; 0 if it is. */
  #refusal(client: Client, view: PublishView): number {
    const { authorizer, stats } = this.#broker;
    const topic = this.#topic;
    const ours = isReservedTopicBytes(topic.bytes);
    const before = authorizer.work;
    const may =
      authorizer.permissive || authorizer.mayPublish(client.session!.identity, topic.name);
    this.#broker.workLeft -= authorizer.work - before;
    if (ours || !may) {
      stats.denied += 1;
      this.#broker.denied(client, 'publish', topic.name);
      return ReasonCode.notAuthorized;
    }
    if (this.#properties.payloadIsText && !isWellFormed(view.buffer, view.payloadStart, view.end)) {
      return ReasonCode.payloadFormatInvalid;
    }
    return 0;
  }

  /** True if a subscriber on this node matched. */
  #publish(client: Client, view: PublishView): boolean {
    const broker = this.#broker;
    const properties = this.#properties;
    const topic = this.#topic;
    const expiresAt =
      properties.expirySeconds < 0
        ? Number.POSITIVE_INFINITY
        : broker.now + properties.expirySeconds * 1000;
    const verbatim = properties.forwardable && view.topicEnd > view.topicStart;
    this.#publication.setView(view, topic, expiresAt, verbatim, broker.now);
    broker.forwarder?.forward(view, topic.bytes, client.session?.clientId);
    return broker.route(this.#publication, client.session);
  }

  /** A PUBLISH from a peer: no rights asked, nothing forwarded, nobody to acknowledge to. */
  handlePeerPublish(view: PublishView): void {
    const broker = this.#broker;
    if (this.#readProperties(view) !== undefined) return;
    const topic = broker.topics.find(view.buffer, view.topicStart, view.topicEnd);
    if (topic === undefined || isReservedTopicBytes(topic.bytes)) return;
    broker.stats.peerReceived += 1;
    const { expirySeconds, forwardable } = this.#properties;
    const expiresAt =
      expirySeconds < 0 ? Number.POSITIVE_INFINITY : broker.now + expirySeconds * 1000;
    this.#publication.setView(view, topic, expiresAt, forwardable, broker.now);
    broker.route(this.#publication, undefined);
  }
}
