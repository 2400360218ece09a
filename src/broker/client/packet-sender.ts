// The outgoing half of a connection: brings messages and acknowledgements into the form that this
// client takes (version, largest packet, aliases) and queues them in its Outbox. client.ts is the
// incoming half.

import { ACK_BYTES_MAX, encodeAck } from '../../mqtt/ack-codec.ts';
import { FirstByte } from '../../mqtt/packet-type.ts';
import type { ProtocolVersion } from '../../mqtt/publish-view.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import type { Broker } from '../broker.ts';
import { PacketSlab } from '../message/packet-slab.ts';
import { encodeMessage, type Publication } from '../message/publication.ts';
import type { Outbox } from '../ports.ts';
import type { Delivery, SessionLink } from '../session/delivery.ts';
import type { OutboundAliases } from './topic-aliases.ts';

/** Acknowledgements lie apart from publishes, so that each client's stay adjacent. */
const ackSlab = new PacketSlab();

export class ClientOutput implements SessionLink {
  version: ProtocolVersion = 4;
  sendWindow = 0;
  /** Largest packet that the client takes. */
  packetBytesMax = Number.POSITIVE_INFINITY;
  protected readonly broker: Broker;
  protected readonly outbox: Outbox;
  protected aliases: OutboundAliases | undefined;

  constructor(broker: Broker, outbox: Outbox) {
    this.broker = broker;
    this.outbox = outbox;
  }

  get congested(): boolean {
    return this.outbox.congested;
  }

  get now(): number {
    return this.broker.now;
  }

  sendAck(header: number, packetId: number, reasonCode: number): void {
    const start = ackSlab.reserve(ACK_BYTES_MAX);
    const { buffer } = ackSlab;
    const end = encodeAck(buffer, start, header, packetId, reasonCode, this.version);
    ackSlab.giveBack(start + ACK_BYTES_MAX - end);
    this.broker.stats.packetsSent += 1;
    this.outbox.write(buffer, start, end);
  }

  sendPubrel(packetId: number): void {
    this.sendAck(FirstByte.pubrel, packetId, ReasonCode.success);
  }

  sendQos0(publication: Publication, retain: boolean, identifiers: readonly number[]): void {
    if (identifiers.length > 0 || this.aliases !== undefined) {
      this.#sendMessage(publication.message(), 0, false, retain, 0, identifiers);
      return;
    }
    const encoded = publication.encodedQos0(this.version, retain);
    const bytes = encoded.end - encoded.start;
    if (bytes > this.packetBytesMax) return;
    const { stats } = this.broker;
    stats.packetsSent += 1;
    stats.publishSent += 1;
    stats.publishSentBytes += bytes;
    this.outbox.write(encoded.buffer, encoded.start, encoded.end);
  }

  sendDelivery(delivery: Delivery, dup: boolean): boolean {
    const { message, qos, retain, packetId, identifiers } = delivery;
    return this.#sendMessage(message, qos, dup, retain, packetId, identifiers);
  }

  #sendMessage(
    message: Delivery['message'],
    qos: Delivery['qos'],
    dup: boolean,
    retain: boolean,
    packetId: number,
    identifiers: readonly number[],
  ): boolean {
    const { version } = this;
    const { name } = message.topic;
    const use = this.aliases?.use(name);
    const topicAlias = use?.alias ?? 0;
    const withTopic = use?.known !== true;
    const header = { version, qos, dup, retain, packetId, identifiers, topicAlias, withTopic };
    const encoded = encodeMessage(message, header, this.now);
    const bytes = encoded.end - encoded.start;
    if (bytes > this.packetBytesMax) {
      if (withTopic && topicAlias > 0) this.aliases?.revoke(name);
      return false;
    }
    const { stats } = this.broker;
    stats.packetsSent += 1;
    stats.publishSent += 1;
    stats.publishSentBytes += bytes;
    this.outbox.write(encoded.buffer, encoded.start, encoded.end);
    return true;
  }

  /** Queues a whole packet. */
  protected send(packet: Buffer): void {
    this.broker.stats.packetsSent += 1;
    this.outbox.write(packet, 0, packet.length);
  }
}
