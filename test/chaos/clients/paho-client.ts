// A client of a run by Eclipse Paho (paho-client.py, in a process of its own on the host of the clients). It reads
// with QoS 2, and publishes with QoS 1, one message at a time: when Paho 1.6 connects again it may put messages in
// another order, and after two attempts it begins a QoS 2 exchange anew whose PUBREC it has (reconnect() makes
// wait_for_pubcomp resend_pubrel, and that publish), so that no broker could keep it from being a second message.

import { join } from 'node:path';
import type { History, MessageId } from '../history.ts';
import type { Site } from '../site.ts';
import { ClientRecord, payloadOf } from './client-record.ts';

const SCRIPT = join(import.meta.dirname, 'paho-client.py');

type Seen =
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'acknowledged' }
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
  #pending: MessageId | undefined;

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
  publish(topic: string): void {
    if (this.#pending !== undefined) return;
    this.#pending = this.#record.published(this.#node, topic, 1);
    const payload = payloadOf(this.#pending);
    this.#process.write(`${JSON.stringify({ topic, payload, qos: 1 })}\n`);
  }

  #saw(seen: Seen): void {
    if (seen.kind === 'message') this.#record.arrived(this.#node, seen.topic, seen.payload, seen);
    else if (seen.kind === 'subscribed') this.#record.subscribed(this.#node, this.#filter);
    else this.#acknowledged();
  }

  #acknowledged(): void {
    if (this.#pending !== undefined) this.#record.acknowledged(this.#pending);
    this.#pending = undefined;
  }
}
