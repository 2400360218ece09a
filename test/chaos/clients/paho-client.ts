// A client of a run by Eclipse Paho (paho-client.py, in a process of its own on the host of the clients). Publishes one
// message at a time on each topic: Paho itself puts messages of one topic in another order when it
// connects again.

import { join } from 'node:path';
import type { History, MessageId } from '../history.ts';
import type { Site } from '../site.ts';
import { ClientRecord, payloadOf } from './client-record.ts';

const SCRIPT = join(import.meta.dirname, 'paho-client.py');

type Seen =
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'acknowledged'; readonly topic: string }
  | {
      readonly kind: 'message';
      readonly topic: string;
      readonly payload: string;
      readonly dup: boolean;
      readonly retain: boolean;
    };

export class PahoClient {
  readonly #node: string;
  readonly #record: ClientRecord;
  readonly #filter: string;
  readonly #process;
  /** Not acknowledged yet, by topic. */
  readonly #pending = new Map<string, MessageId>();

  constructor(site: Site, history: History, id: string, node: string, filter: string) {
    this.#node = node;
    this.#filter = filter;
    this.#record = new ClientRecord(id, history);
    const command = ['/usr/bin/python3', SCRIPT, site.network.address(node), id, filter];
    this.#process = site.runClient(command, (line) => {
      if (line.startsWith('{')) this.#saw(JSON.parse(line) as Seen);
      else site.note(id, line);
    });
  }

  async untilSubscribed(): Promise<void> {
    await this.#process.waitFor(/"subscribed"/);
  }

  /** Publishes the next message of the topic, unless the last one still waits for its acknowledgement. */
  publish(topic: string, qos: 1 | 2): void {
    if (this.#pending.has(topic)) return;
    const id = this.#record.published(this.#node, topic, qos);
    this.#pending.set(topic, id);
    this.#process.write(`${JSON.stringify({ topic, qos, payload: payloadOf(id) })}\n`);
  }

  #saw(seen: Seen): void {
    if (seen.kind === 'message') this.#record.arrived(this.#node, seen.topic, seen.payload, seen);
    else if (seen.kind === 'subscribed') this.#record.subscribed(this.#node, this.#filter);
    else this.#acknowledged(seen.topic);
  }

  #acknowledged(topic: string): void {
    const id = this.#pending.get(topic);
    if (id === undefined) return;
    this.#pending.delete(topic);
    this.#record.acknowledged(id);
  }
}
