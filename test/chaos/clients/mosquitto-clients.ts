// The command-line clients of mosquitto in a run: a reader (mosquitto_sub), which connects again by itself, and
// a publisher that starts mosquitto_pub for each message, as scripts do. mosquitto_pub ends with 0 when the
// message is acknowledged.
// The reader uses QoS 1: libmosquitto 2.0.11 keeps a QoS 2 message twice that a broker sends again, with DUP, after
// a reconnect, and passes on the second copy in place of a later message with the same Packet Identifier.

import type { History } from '../history.ts';
import type { Site } from '../site.ts';
import { ClientRecord, payloadOf } from './client-record.ts';

const COMMON = ['-V', 'mqttv311', '-k', '10'];
/** Marks the messages among the other lines that mosquitto_sub prints with -d. */
const FORMAT = 'message %r %t %p';

export class MosquittoReader {
  readonly #process;

  /** @param hasSession the session outlives connections */
  constructor(site: Site, history: History, { id, node, filter, hasSession }: ReaderOptions) {
    const record = new ClientRecord(id, history);
    const session = hasSession ? ['-c'] : [];
    const program = ['stdbuf', '-oL', 'mosquitto_sub'];
    const command = [...program, '-h', site.network.address(node), '-i', id, ...session];
    const flags = [...COMMON, '-d', '-q', '1', '-t', filter, '-F', FORMAT];
    this.#process = site.runClient([...command, ...flags], (line) => {
      if (line.startsWith('Subscribed ')) record.subscribed(node, filter);
      const [word, retain, topic = '', ...payload] = line.split(' ');
      if (word !== 'message') return;
      record.arrived(node, topic, payload.join(' '), { retain: retain === '1' });
    });
  }

  async untilSubscribed(): Promise<void> {
    await this.#process.waitFor(/^Subscribed /);
  }

  async end(): Promise<void> {
    await this.#process.stop();
  }
}

interface ReaderOptions {
  readonly id: string;
  readonly node: string;
  readonly filter: string;
  readonly hasSession: boolean;
}

export class MosquittoPublisher {
  readonly #site: Site;
  readonly #node: string;
  readonly #id: string;
  readonly #record: ClientRecord;
  #isBusy = false;

  constructor(site: Site, history: History, id: string, node: string) {
    this.#site = site;
    this.#node = node;
    this.#id = id;
    this.#record = new ClientRecord(id, history);
  }

  /** Publishes the next message of the topic, unless the last mosquitto_pub still runs. */
  publish(topic: string, qos: 1 | 2): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const id = this.#record.published(this.#node, topic, qos);
    const address = this.#site.network.address(this.#node);
    const command = ['mosquitto_pub', '-h', address, '-i', this.#id, ...COMMON, '-q', String(qos)];
    const run = this.#site.runClient([...command, '-t', topic, '-m', payloadOf(id)], (line) =>
      this.#site.note(this.#id, line),
    );
    void run.exited.then(({ code }) => {
      this.#isBusy = false;
      if (code === 0) this.#record.acknowledged(id);
    });
  }
}
