// A message as the program sees it. Its properties are decoded when the program asks for them, which most
// programs never do.

import { decodeMessageProperties, type MessageProperties } from '../mqtt/message-properties.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import type * as api from './api.ts';

/** What a message of the broker and a requested one have in common. */
interface Source {
  readonly topic: string | { readonly name: string };
  readonly payload: Buffer;
  readonly properties: Buffer;
}

export class ProgramMessage implements api.Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly #bytes: Buffer;
  #properties: MessageProperties | undefined;

  private constructor(topic: string, source: Source, qos: QoS, retain: boolean) {
    this.topic = topic;
    this.payload = source.payload;
    this.qos = qos;
    this.retain = retain;
    this.#bytes = source.properties;
  }

  static of(source: Source, qos: QoS, retain: boolean): ProgramMessage {
    const { topic } = source;
    return new ProgramMessage(typeof topic === 'string' ? topic : topic.name, source, qos, retain);
  }

  get properties(): api.MessageProperties {
    this.#properties ??= decodeMessageProperties(this.#bytes);
    return this.#properties as api.MessageProperties;
  }
}
