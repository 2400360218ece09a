// The outgoing half of a connection: encodes messages and acknowledgements for this client (version,
// Maximum Packet Size, Topic Aliases) and queues them in its Outbox. Knows no session.
// Invariant: no packet exceeds the client's Maximum Packet Size [MQTT5-3.1.2-24].

import { ACK_BYTES_MAX, encodeAck, encodeAckWithReason } from '../../mqtt/ack-codec.ts';
import { PINGRESP } from '../../mqtt/control-encoder.ts';
import { FirstByte, publishFirstByte } from '../../mqtt/packet-type.ts';
import { emptyPublishFields, publishBytes } from '../../mqtt/publish-encoder.ts';
import type { PublishRun } from '../../mqtt/publish-run.ts';
import type { ProtocolVersion, QoS } from '../../mqtt/publish-view.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import { copyBytes } from '../../shared/copy-bytes.ts';
import { PacketSlab } from '../../shared/packet-slab.ts';
import type { Hops } from '../message/hops.ts';
import { expirySecondsLeft, type Message, NO_BYTES, type Topic } from '../message/message.ts';
import { encodeHead, encodePublish, type Publication } from '../message/publication.ts';
import type { ReceivedPacket } from '../message/received-packet.ts';
import type { Outbox } from '../ports.ts';
import { bytesPrice, Price } from '../prices.ts';
import type { Delivery } from '../session/delivery.ts';
import type { SessionLink } from '../session/link.ts';
import type { BrokerStats } from '../stats.ts';
import type { WorkBudget } from '../work-budget.ts';
import type { ConnectionMemory } from './connection-memory.ts';
import { OutboundAliases } from './topic-aliases.ts';

/** From this size on a payload leaves as a part of its own: copying it costs more than one more part of a write. */
const PART_BYTES_MIN = 4096;

/** Acknowledgements have memory of their own, so that those of one client stay adjacent. */
const ackSlab = new PacketSlab();

/** Of the packet at hand. */
const fields = emptyPublishFields(4);

/** Continues in a later turn when the session has more to send than the budget of this one allows. */
export interface Backlog {
  deferPump(): void;
}

export class PacketSender implements SessionLink {
  version: ProtocolVersion = 4;
  backlog: Backlog | undefined;
  sendWindow = 0;
  publishSent = 0;
  /** Largest packet that the client takes, bytes. */
  packetBytesMax = Number.POSITIVE_INFINITY;
  #hops: Hops | undefined;
  /** No packet is the same for it and another client. */
  #hasOwnPackets: boolean;
  readonly #outbox: Outbox;
  readonly #stats: BrokerStats;
  readonly #budget: WorkBudget;
  #aliases: OutboundAliases | undefined;

  constructor(outbox: Outbox, stats: BrokerStats, budget: WorkBudget) {
    this.#outbox = outbox;
    this.#hasOwnPackets = outbox.publish !== undefined;
    this.#stats = stats;
    this.#budget = budget;
  }

  get outbox(): Outbox {
    return this.#outbox;
  }

  get congested(): boolean {
    return this.#outbox.congested;
  }

  /** @param maximum Topic Aliases that the client accepts; 0 for none */
  useAliases(maximum: number, memory: ConnectionMemory): void {
    if (maximum === 0) return;
    this.#aliases = new OutboundAliases(maximum, memory);
    this.#hasOwnPackets = true;
  }

  /** The client is a bridge that speaks MQTT 5: its messages carry their hops. */
  useHops(hops: Hops): void {
    this.#hops = hops;
    this.#hasOwnPackets = true;
  }

  sendAck(header: number, packetId: number, reasonCode: number): void {
    const start = ackSlab.reserve(ACK_BYTES_MAX);
    const { buffer } = ackSlab;
    const end = encodeAck(buffer, start, header, packetId, reasonCode, this.version);
    ackSlab.giveBack(start + ACK_BYTES_MAX - end);
    this.#stats.packetsSent += 1;
    this.#outbox.write(buffer, start, end);
  }

  /** As sendAck(), with a Reason String if the client takes a packet of that size. MQTT 5 only. */
  sendAckWithRemark(header: number, packetId: number, reasonCode: number, remark: string): void {
    const packet = encodeAckWithReason(header, packetId, reasonCode, remark);
    if (packet.length > this.packetBytesMax) this.sendAck(header, packetId, reasonCode);
    else this.send(packet);
  }

  continueLater(): void {
    this.backlog?.deferPump();
  }

  /** From the slab, so that the answers to many pings are one range. */
  sendPingresp(): void {
    const start = ackSlab.reserve(PINGRESP.length);
    const { buffer } = ackSlab;
    const end = copyBytes(buffer, start, PINGRESP, 0, PINGRESP.length);
    this.#stats.packetsSent += 1;
    this.#outbox.write(buffer, start, end);
  }

  sendPubrel(packetId: number): void {
    this.sendAck(FirstByte.pubrel, packetId, ReasonCode.success);
  }

  sendQos0(publication: Publication, retain: boolean, identifiers: readonly number[]): void {
    if (this.#hasOwnPackets || identifiers.length > 0) {
      this.#sendOwnQos0(publication, retain, identifiers);
      return;
    }
    const encoded = publication.encodedQos0(this.version, retain);
    const bytes = encoded.end - encoded.start;
    if (bytes > this.packetBytesMax) return;
    const stats = this.#stats;
    stats.packetsSent += 1;
    stats.publishSent += 1;
    this.publishSent += 1;
    stats.publishSentBytes += bytes;
    this.#outbox.write(encoded.buffer, encoded.start, encoded.end);
  }

  takesRun(run: PublishRun): boolean {
    const isSame = run.isMqtt5 === (this.version === 5) && !this.#hasOwnPackets;
    return isSame && run.largest <= this.packetBytesMax;
  }

  sendRun({ buffer, start, end, count }: PublishRun): void {
    const stats = this.#stats;
    stats.packetsSent += count;
    stats.publishSent += count;
    this.publishSent += count;
    stats.publishSentBytes += end - start;
    this.#outbox.write(buffer, start, end);
  }

  sendDelivery(delivery: Delivery, dup: boolean): boolean {
    const { message, qos, retain, packetId, identifiers } = delivery;
    const { packet } = message;
    if (packet !== undefined && qos > 0 && this.#takesReceived(packet, identifiers)) {
      return this.#sendReceived(packet, delivery, dup);
    }
    return this.#sendMessage(message, qos, dup, retain, packetId, identifiers);
  }

  /** The packet of the publisher needs only a Packet Identifier of this client. */
  #takesReceived(packet: ReceivedPacket, identifiers: readonly number[]): boolean {
    return (
      !packet.isSent &&
      packet.isMqtt5 === (this.version === 5) &&
      identifiers.length === 0 &&
      !this.#hasOwnPackets
    );
  }

  #sendReceived(packet: ReceivedPacket, delivery: Delivery, dup: boolean): boolean {
    const { qos, retain, packetId } = delivery;
    const { buffer, start, end } = packet;
    if (end - start > this.packetBytesMax) return false;
    packet.address(qos, dup, retain, packetId);
    this.#countPublish(end - start);
    this.#outbox.write(buffer, start, end);
    return true;
  }

  #sendMessage(
    message: Message,
    qos: QoS,
    dup: boolean,
    retain: boolean,
    packetId: number,
    identifiers: readonly number[],
  ): boolean {
    const { payload } = message;
    fields.firstByte = publishFirstByte(dup, qos, retain);
    fields.packetId = packetId;
    fields.properties = this.#hops?.propertiesOf(message) ?? message.properties;
    fields.expirySeconds = expirySecondsLeft(message, this.#budget.now);
    fields.subscriptionIdentifiers = identifiers;
    return this.#publish(message.topic, payload, 0, payload.length);
  }

  #sendOwnQos0(publication: Publication, retain: boolean, identifiers: readonly number[]): void {
    const view = publication.plainView;
    if (view === undefined) {
      this.#hops?.identify(publication.message(), publication);
      this.#sendMessage(publication.message(), 0, false, retain, 0, identifiers);
      return;
    }
    // Straight from the publisher's packet, without a Message in between.
    fields.firstByte = publishFirstByte(false, 0, retain);
    fields.packetId = 0;
    fields.properties = this.#hops?.propertiesOfPlain(publication) ?? NO_BYTES;
    fields.expirySeconds = -1;
    fields.subscriptionIdentifiers = identifiers;
    this.#publish(publication.topic, view.buffer, view.payloadStart, view.end);
  }

  /** Completes `fields` and sends them with bytes `[start, end)` as payload. */
  #publish(topic: Topic, payload: Buffer, start: number, end: number): boolean {
    const outbox = this.#outbox;
    const use = this.#aliases?.use(topic.name);
    fields.version = this.version;
    fields.topicAlias = use?.alias ?? 0;
    fields.topic = use?.known === true ? NO_BYTES : topic.bytes;
    fields.payloadBytes = end - start;
    const bytes = publishBytes(fields);
    if (bytes > this.packetBytesMax) {
      if (use?.known === false && use.alias > 0) this.#aliases?.revoke(topic.name);
      return false;
    }
    if (outbox.publish !== undefined) {
      if (!outbox.publish(fields, payload, start, end)) return false;
    } else if (fields.payloadBytes >= PART_BYTES_MIN && outbox.takesParts === true) {
      const head = encodeHead(fields, bytes);
      outbox.write(head.buffer, head.start, head.end);
      outbox.write(payload, start, end);
    } else {
      const packet = encodePublish(fields, bytes, payload, start, end);
      outbox.write(packet.buffer, packet.start, packet.end);
    }
    this.#countPublish(bytes);
    return true;
  }

  #countPublish(bytes: number): void {
    this.#budget.spend(Price.encodedMessage + bytesPrice(bytes));
    const stats = this.#stats;
    stats.packetsSent += 1;
    stats.publishSent += 1;
    this.publishSent += 1;
    stats.publishSentBytes += bytes;
  }

  /** Queues a whole packet. The caller checks its size. */
  send(packet: Buffer): void {
    this.#stats.packetsSent += 1;
    this.#outbox.write(packet, 0, packet.length);
  }
}
