// Brings each PUBLISH and SUBSCRIBE before a PacketJudge, ahead of its handler: a program that embeds the
// broker may need time to decide, and wants to see the message. Decodes the packet a second time, so that
// the handlers know nothing of it. What is not well-formed passes: its handler finds the fault.

import { decodeSubscribe } from '../../mqtt/control-decoder.ts';
import { FirstByte, PacketType, packetTypeOf } from '../../mqtt/packet-type.ts';
import {
  copyForwardableProperties,
  PublishProperties,
  readPublishProperties,
} from '../../mqtt/properties.ts';
import { decodePublish } from '../../mqtt/publish-decoder.ts';
import { PublishView } from '../../mqtt/publish-view.ts';
import type { PacketJudge } from '../ports.ts';
import type { TopicTable } from '../routing/topic-table.ts';
import type { Client } from './client.ts';

export class PacketReview {
  readonly #judge: PacketJudge;
  readonly #topics: TopicTable;
  readonly #view = new PublishView();
  readonly #properties = new PublishProperties();

  constructor(judge: PacketJudge, topics: TopicTable) {
    this.#judge = judge;
    this.#topics = topics;
  }

  /**
   * @param decided called once if this returns false, with the time of the broker's clock
   * @throws ProtocolError for a SUBSCRIBE that is not well-formed
   */
  isDecided(
    client: Client,
    buffer: Buffer,
    start: number,
    bodyStart: number,
    end: number,
    decided: (now: number) => void,
  ): boolean {
    const first = buffer[start]!;
    if (packetTypeOf(first) === PacketType.publish) {
      return this.#isPublishDecided(client, buffer, start, bodyStart, end, decided);
    }
    if (first !== FirstByte.subscribe) return true;
    const { subscriptions } = decodeSubscribe(buffer, start, bodyStart, end, client.version);
    return this.#judge.judgeSubscribe(client.session!.identity, subscriptions, decided);
  }

  #isPublishDecided(
    client: Client,
    buffer: Buffer,
    start: number,
    bodyStart: number,
    end: number,
    decided: (now: number) => void,
  ): boolean {
    const view = this.#view;
    const { version } = client;
    if (decodePublish(view, buffer, start, bodyStart, end, version) !== undefined) return true;
    const { propertiesStart, propertiesEnd, topicStart, topicEnd, packetId, qos, retain } = view;
    if (
      readPublishProperties(buffer, propertiesStart, propertiesEnd, this.#properties) !== undefined
    ) {
      return true;
    }
    // A repetition is only answered: the message itself was decided on.
    if (qos === 2 && client.session!.hasReceived(packetId)) return true;
    const topic =
      topicStart === topicEnd
        ? client.inboundAliases?.get(this.#properties.topicAlias)
        : this.#topics.find(buffer, topicStart, topicEnd);
    if (topic === undefined) return true;
    const message = {
      topic: topic.name,
      payload: buffer.subarray(view.payloadStart, end),
      properties: copyForwardableProperties(buffer, propertiesStart, propertiesEnd),
      qos,
      retain,
    };
    return this.#judge.judgePublish(client.session!.identity, message, decided);
  }
}
