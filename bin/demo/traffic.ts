// Clients of the demo: on each node one that publishes and one that subscribes to everything. Counts the
// messages that cross from node to node, measures their latency, and reports the messages of other
// clients. Invariant: after close() no client exists, and none is made.

import mqtt, { type MqttClient } from 'mqtt';
import type { DemoNode } from './cluster.ts';

const PUBLISH_EVERY_MS = 100;
const RECONNECT_MS = 200;
const SAMPLES_MAX = 200;
/** Deliveries of one message on several nodes within this time are reported together. */
const GATHER_MS = 300;
const REPORTED_TOGETHER_MAX = 3;
const TEXT_LENGTH_MAX = 40;

export class Crossing {
  messages = 0;
  #samplesMs: number[] = [];

  add(latencyMs: number): void {
    this.messages += 1;
    this.#samplesMs.push(latencyMs);
    if (this.#samplesMs.length > SAMPLES_MAX) this.#samplesMs.shift();
  }

  /** @param share 0.5 for the median; undefined before the first message */
  latencyMs(share: number): number | undefined {
    const sorted = [...this.#samplesMs].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  }
}

export class Traffic {
  readonly #crossings = new Map<string, Crossing>();
  readonly #clients: MqttClient[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #onMessage: (text: string) => void;
  /** Nodes that delivered a message of another client, by the message as it is shown. */
  readonly #gathered = new Map<string, Set<string>>();
  #gatherTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param onMessage called with a line about a message that the demo did not publish */
  constructor(onMessage: (text: string) => void) {
    this.#onMessage = onMessage;
  }

  crossing(from: string, to: string): Crossing {
    const key = `${from} ${to}`;
    const known = this.#crossings.get(key) ?? new Crossing();
    this.#crossings.set(key, known);
    return known;
  }

  async connect(node: DemoNode): Promise<void> {
    const subscriber = await this.#client(node, 5);
    subscriber.on('message', (topic, payload, { retain }) => {
      const [root, from = ''] = topic.split('/');
      if (root === 'demo') {
        this.crossing(from, node.name).add(performance.now() - Number(payload.toString()));
      } else if (!retain) {
        this.#gather(`${shown(topic)} "${shown(payload.toString())}"`, node.name);
      }
    });
    await subscriber.subscribeAsync('#', { qos: 1 });
    // Another protocol version, which shows that messages cross between versions.
    const publisher = await this.#client(node, 4);
    if (this.#isClosed) return;
    this.#timers.push(
      setInterval(() => {
        if (!publisher.connected) return;
        publisher.publish(`demo/${node.name}/time`, String(performance.now()));
      }, PUBLISH_EVERY_MS),
    );
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#gatherTimer);
    for (const timer of this.#timers) clearInterval(timer);
    for (const client of this.#clients) client.end(true);
  }

  /** Resolves when the client is connected. close() ends it from the moment at which it is made. */
  #client(node: DemoNode, protocolVersion: 4 | 5): Promise<MqttClient> {
    if (this.#isClosed) throw new Error('the demo is ending');
    const client = mqtt.connect(`mqtt://127.0.0.1:${node.mqttPort}`, {
      reconnectPeriod: RECONNECT_MS,
      protocolVersion,
      queueQoSZero: false,
    });
    this.#clients.push(client);
    // A node that is down refuses connections until it is back.
    client.on('error', () => undefined);
    return new Promise((resolve) => client.once('connect', () => resolve(client)));
  }

  #gather(message: string, node: string): void {
    const nodes = this.#gathered.get(message) ?? new Set();
    this.#gathered.set(message, nodes.add(node));
    this.#gatherTimer ??= setTimeout(() => this.#report(), GATHER_MS);
  }

  #report(): void {
    this.#gatherTimer = undefined;
    const all = [...this.#gathered];
    this.#gathered.clear();
    for (const [message, nodes] of all.slice(0, REPORTED_TOGETHER_MAX)) {
      this.#onMessage(`${message} reached the subscribers on ${[...nodes].sort().join(', ')}`);
    }
    const more = all.length - REPORTED_TOGETHER_MAX;
    if (more > 0) this.#onMessage(`and ${more} more messages`);
  }
}

/** A stranger's text, without control characters and not too long. */
function shown(text: string): string {
  const printable = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return printable.length > TEXT_LENGTH_MAX
    ? `${printable.slice(0, TEXT_LENGTH_MAX)}...`
    : printable;
}
