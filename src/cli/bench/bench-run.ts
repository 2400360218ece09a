// One benchmark: connects publishers and subscribers, sends stamped messages for a while, and measures
// how long each takes. Publishers and subscribers run in this one process, so one clock stamps and reads.

import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { PublishView, QoS } from '../../mqtt/publish-view.ts';
import { describeReasonCode, isFailure } from '../../mqtt/reason-code.ts';
import { type ClientSettings, MqttClient } from '../mqtt/mqtt-client.ts';
import { LatencyHistogram } from './latency-histogram.ts';

export interface BenchPlan {
  readonly publishers: number;
  readonly subscribers: number;
  readonly publishTo: ClientSettings;
  readonly subscribeTo: ClientSettings;
  /** Messages a second of all publishers together; 0 = as many as the broker takes. */
  readonly rate: number;
  readonly payloadBytes: number;
  readonly qos: QoS;
  readonly durationMs: number;
  readonly topic: string;
  /** Every subscriber receives every message; otherwise each publisher has one subscriber. */
  readonly isFanOut: boolean;
}

export interface BenchResult {
  readonly clients: number;
  readonly connectMs: number;
  /** Of sending, and until the last message arrived. */
  readonly seconds: number;
  readonly receivingSeconds: number;
  readonly sent: number;
  readonly expected: number;
  readonly received: number;
  /** They still arrived when the wait for them was over: what has not come is held back, and not lost. */
  readonly isStillArriving: boolean;
  /** Refused by the broker, with a Reason Code. */
  readonly refused: number;
  readonly latency: LatencyHistogram;
}

/** Clients that connect at the same time. */
const CONNECTING_MAX = 50;
/** At the beginning of each payload: when it was sent, ms as a double. */
export const STAMP_BYTES = 8;
/** Messages of one publisher between two turns of the event loop. */
const BURST_MAX = 64;
const PACE_MS = 5;
/** Messages on their way at full speed: more would only wait, or be dropped, in the broker's queues. */
const ON_THE_WAY_MAX = 2000;
/** For messages that are still on their way at the end: in all, and without one that arrives. */
const DRAIN_MS_MAX = 20_000;
const SILENCE_MS_MAX = 3000;
const DRAIN_POLL_MS = 20;

export class BenchRun {
  readonly #plan: BenchPlan;
  readonly #latency = new LatencyHistogram();
  readonly #publishers: MqttClient[] = [];
  readonly #subscribers: MqttClient[] = [];
  #fault: Error | undefined;
  #isStopped = false;
  sent = 0;
  received = 0;
  #refused = 0;
  /** Messages of the publishers that have a subscriber. */
  #paired = 0;
  /** When the last message arrived. */
  #arrivedAt = 0;

  constructor(plan: BenchPlan) {
    this.#plan = plan;
  }

  /** Ends the measurement early. */
  stop(): void {
    this.#isStopped = true;
  }

  /** @param progress called often. Rejects if a client cannot connect or is disconnected. */
  async run(progress: (share: number | undefined, text: string) => void): Promise<BenchResult> {
    const { publishers, subscribers, durationMs } = this.#plan;
    const clients = publishers + subscribers;
    const connectStart = performance.now();
    try {
      await this.#connectAll((count) => progress(count / clients, `connected ${count}`));
      const connectMs = performance.now() - connectStart;
      const start = performance.now();
      const report = setInterval(() => {
        const share = (performance.now() - start) / durationMs;
        progress(Math.min(1, share), `sent ${this.sent}, received ${this.received}`);
      }, 100);
      await Promise.all(
        this.#publishers.map((client, index) => this.#publish(client, index, start)),
      );
      const seconds = (performance.now() - start) / 1000;
      const isStillArriving = await this.#drain();
      clearInterval(report);
      if (this.#fault !== undefined) throw this.#fault;
      const { sent, received, expected } = this;
      const refused = this.#refused;
      const latency = this.#latency;
      const counts = { sent, expected, received, refused };
      const receivingSeconds = Math.max(seconds, (this.#arrivedAt - start) / 1000);
      return { clients, connectMs, seconds, receivingSeconds, ...counts, isStillArriving, latency };
    } finally {
      await Promise.all([...this.#publishers, ...this.#subscribers].map((client) => client.end()));
    }
  }

  /** Messages that the subscribers should have received by now. */
  get expected(): number {
    const { subscribers, publishers, isFanOut } = this.#plan;
    const accepted = this.sent - this.#refused;
    if (isFanOut) return accepted * subscribers;
    // Messages of publishers beyond the last subscriber have no receiver.
    return publishers <= subscribers ? accepted : this.#paired;
  }

  async #connectAll(progress: (count: number) => void): Promise<void> {
    const { publishers, subscribers, publishTo, subscribeTo, topic, qos, isFanOut } = this.#plan;
    const jobs = [
      ...Array.from({ length: subscribers }, (_, index) => async () => {
        const client = await this.#connect(subscribeTo, `s${index}`);
        this.#subscribers.push(client);
        const filters = [isFanOut ? `${topic}/#` : `${topic}/${index}`];
        const request = { filters, qos, noLocal: false, retainAsPublished: false };
        const [granted = 0] = await client.subscribe(request);
        if (isFailure(granted)) {
          throw new Error(`the broker refused ${filters}: ${describeReasonCode(granted)}`);
        }
      }),
      ...Array.from({ length: publishers }, (_, index) => async () => {
        this.#publishers[index] = await this.#connect(publishTo, `p${index}`);
      }),
    ];
    let done = 0;
    const worker = async (): Promise<void> => {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
        await job();
        done += 1;
        progress(done);
      }
    };
    await Promise.all(Array.from({ length: CONNECTING_MAX }, worker));
  }

  async #connect(settings: ClientSettings, suffix: string): Promise<MqttClient> {
    const clientId = `${settings.clientId}-${suffix}`;
    const client = await MqttClient.connect(
      { ...settings, clientId },
      {
        onMessage: (view) => this.#arrived(view),
        onLost: (error) => {
          this.#fault ??= error;
          this.#isStopped = true;
        },
      },
    );
    return client;
  }

  async #publish(client: MqttClient, index: number, start: number): Promise<void> {
    const { rate, publishers, durationMs, topic, qos, payloadBytes, subscribers } = this.#plan;
    const perMs = rate / publishers / 1000;
    const head = { topic: Buffer.from(`${topic}/${index}`), qos, retain: false };
    const unacknowledged = new Set<Promise<void>>();
    for (let own = 0; !this.#isStopped; ) {
      const elapsed = performance.now() - start;
      if (elapsed >= durationMs) break;
      const due =
        rate === 0
          ? this.#roomForBurst()
          : Math.min(BURST_MAX, Math.floor(elapsed * perMs) + 1 - own);
      for (let i = 0; i < due && this.#fault === undefined; i++) {
        const payload = Buffer.allocUnsafe(payloadBytes);
        payload.writeDoubleLE(performance.now());
        this.sent += 1;
        if (index < subscribers) this.#paired += 1;
        const sent = client.publish({ ...head, payload }).then(
          (reasonCode) => {
            unacknowledged.delete(sent);
            if (isFailure(reasonCode)) this.#refused += 1;
          },
          (error: Error) => {
            this.#fault ??= error;
          },
        );
        unacknowledged.add(sent);
      }
      own += Math.max(0, due);
      if (unacknowledged.size >= BURST_MAX) await Promise.race(unacknowledged);
      await (rate === 0 ? turn() : delay(PACE_MS));
    }
    await Promise.all(unacknowledged);
  }

  #roomForBurst(): number {
    return this.expected - this.received < ON_THE_WAY_MAX ? BURST_MAX : 0;
  }

  #arrived({ buffer, payloadStart, end }: PublishView): void {
    // A stranger's message on the same topic may be shorter.
    if (end - payloadStart < STAMP_BYTES) return;
    this.received += 1;
    this.#arrivedAt = performance.now();
    this.#latency.add(this.#arrivedAt - buffer.readDoubleLE(payloadStart));
  }

  /** @returns whether messages still arrived when the time was over */
  async #drain(): Promise<boolean> {
    const giveUpAt = performance.now() + DRAIN_MS_MAX;
    let { received } = this;
    let arrivedAt = performance.now();
    while (this.received < this.expected && this.#fault === undefined) {
      const now = performance.now();
      if (this.received > received) arrivedAt = now;
      received = this.received;
      if (now - arrivedAt >= SILENCE_MS_MAX) return false;
      if (now >= giveUpAt || this.#isStopped) return true;
      await delay(DRAIN_POLL_MS);
    }
    return false;
  }
}
