// What one client of a run writes into the history, whichever library it uses: the messages that it publishes,
// numbered for each topic, their acknowledgements, and what arrives. The payload of every message names its
// publisher and its number.

import type { History, MessageId } from '../history.ts';

export class ClientRecord {
  readonly #client: string;
  readonly #history: History;
  readonly #numbers = new Map<string, number>();

  constructor(client: string, history: History) {
    this.#client = client;
    this.#history = history;
  }

  /** Numbers the next message of the topic. @returns what to acknowledge later; its payload is payloadOf() */
  published(node: string, topic: string, qos: 0 | 1 | 2, retain = false): MessageId {
    const number = (this.#numbers.get(topic) ?? -1) + 1;
    this.#numbers.set(topic, number);
    const id: MessageId = { publisher: this.#client, topic, number };
    this.#history.add({ kind: 'publish', node, qos, retain, ...id });
    return id;
  }

  acknowledged(id: MessageId): void {
    this.#history.add({ kind: 'acknowledged', ...id });
  }

  subscribed(node: string, filter: string): void {
    this.#history.add({ kind: 'subscribed', client: this.#client, node, filter });
  }

  arrived(
    node: string,
    topic: string,
    payload: string,
    { dup = false, retain = false } = {},
  ): void {
    const client = this.#client;
    const [publisher = '', number = ''] = payload.split(' ');
    if (topic.startsWith('will/')) {
      this.#history.add({ kind: 'will', client, node, of: publisher });
      return;
    }
    const id: MessageId = { publisher, topic, number: Number(number) };
    this.#history.add({ kind: 'delivery', client, node, ...id, dup, retain });
  }
}

/** @param bytes at least so long */
export function payloadOf({ publisher, number }: MessageId, bytes = 0): string {
  return `${publisher} ${number} `.padEnd(bytes, '.').trimEnd();
}
