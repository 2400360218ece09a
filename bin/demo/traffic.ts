// Clients of the demo: on each node one that publishes and one that subscribes to everything. Counts
// the messages that crossed from node to node and how long each was under way.

import mqtt, { type MqttClient } from 'mqtt';
import type { DemoNode } from './cluster.ts';

const PUBLISH_EVERY_MS = 100;
const SAMPLES_MAX = 200;

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

  crossing(from: string, to: string): Crossing {
    const key = `${from} ${to}`;
    const known = this.#crossings.get(key) ?? new Crossing();
    this.#crossings.set(key, known);
    return known;
  }

  async connect(node: DemoNode): Promise<void> {
    const url = `mqtt://127.0.0.1:${node.mqttPort}`;
    const subscriber = await mqtt.connectAsync(url, { reconnectPeriod: 200, protocolVersion: 5 });
    subscriber.on('message', (topic, payload) => {
      const [, from = ''] = topic.split('/');
      this.crossing(from, node.name).add(performance.now() - Number(payload.toString()));
    });
    await subscriber.subscribeAsync('demo/#', { qos: 1 });
    // The other protocol version, so that both are seen to cross.
    const publisher = await mqtt.connectAsync(url, { reconnectPeriod: 200, queueQoSZero: false });
    for (const client of [subscriber, publisher]) {
      // A node that was killed refuses connections until it is back.
      client.on('error', () => undefined);
      this.#clients.push(client);
    }
    this.#timers.push(
      setInterval(() => {
        if (!publisher.connected) return;
        publisher.publish(`demo/${node.name}/time`, String(performance.now()));
      }, PUBLISH_EVERY_MS),
    );
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const client of this.#clients) client.end(true);
  }
}
