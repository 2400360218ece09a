// Publishes the node's metrics as retained messages under $SYS/broker, and mosquitto's load averages
// of them. What exists there is src/metrics/metric-list.ts; this file knows how to publish it.
// Invariant: a topic is published only when its value has changed, and cleared when its metric has
// no such value any more.

import { type Metric, sysValuesOf } from '../metrics/metric.ts';
import { type MetricGroupId, metricGroups, type ValuesOf } from '../metrics/metric-list.ts';
import type { Broker } from './broker.ts';
import { NO_BYTES } from './message/message.ts';

const PREFIX = '$SYS/broker/';
const LOAD_MINUTES = [1, 5, 15] as const;

/** Work of a value that is not published, in deliveries. */
const LOOK_WORK = 20;
/** Each message is another one for many clients: a delivery costs more than amid a flood of one. */
const COLD_FACTOR = 4;

type AnyValue = Parameters<typeof sysValuesOf>[1];

interface Source {
  readonly metrics: readonly (readonly [string, Metric])[];
  /** By metric id. */
  readonly values: () => Readonly<Record<string, AnyValue>>;
}

export class SysTopics {
  readonly #broker: Broker;
  readonly #published = new Map<string, string>();
  /** Counters as they were at the previous round, by load name. */
  readonly #previous = new Map<string, number>();
  /** Averages per minute, by topic. */
  readonly #loads = new Map<string, number>();
  readonly #sources: Source[] = [];

  constructor(broker: Broker) {
    this.#broker = broker;
    this.addSource('broker', () => brokerValues(broker));
    if (broker.options.sysIntervalSeconds > 0) this.#schedule(broker.now);
  }

  /** @param values asked for at each round; must not throw */
  addSource<Id extends MetricGroupId>(group: Id, values: () => ValuesOf<Id>): void {
    const metrics: Readonly<Record<string, Metric>> = metricGroups[group];
    this.#sources.push({ metrics: Object.entries(metrics), values });
  }

  #schedule(at: number): void {
    this.#broker.deadlines.schedule(at, (now) => {
      this.#broker.inTurns(this.#round());
      this.#schedule(now + this.#broker.options.sysIntervalSeconds * 1000);
    });
  }

  /** A topic may have very many subscribers: one step for each topic. */
  *#round(): Generator<number> {
    const current = new Set<string>();
    for (const [topic, text] of this.#values()) {
      current.add(topic);
      yield this.#update(topic, text);
    }
    for (const topic of this.#published.keys()) {
      if (!current.has(topic)) yield this.#update(topic, '');
    }
  }

  /** @returns the work that it cost, in deliveries */
  #update(topic: string, text: string): number {
    if (this.#published.get(topic) === text) return LOOK_WORK;
    if (text === '') this.#published.delete(topic);
    else this.#published.set(topic, text);
    const before = this.#broker.workLeft;
    this.#publish(topic, text);
    return LOOK_WORK + COLD_FACTOR * (before - this.#broker.workLeft);
  }

  /** @param text empty: the retained message is removed */
  #publish(topic: string, text: string): void {
    const broker = this.#broker;
    broker.publishMessage(
      {
        topic: broker.topics.intern(PREFIX + topic),
        payload: Buffer.from(text),
        properties: NO_BYTES,
        qos: 0,
        retain: true,
        expiresAt: Number.POSITIVE_INFINITY,
        mark: undefined,
        holders: 0,
      },
      undefined,
    );
  }

  /** Topics below `$SYS/broker/`, each with its text. */
  *#values(): Generator<[string, string]> {
    for (const { metrics, values } of this.#sources) {
      const current = values();
      for (const [id, metric] of metrics) {
        const value = current[id]!;
        for (const { topic, text } of sysValuesOf(metric, value)) yield [topic, text];
        if (metric.load !== undefined) yield* this.#loadsOf(metric.load, Number(value));
      }
    }
  }

  /** Exponential moving averages of the rate per minute, computed as mosquitto does. */
  *#loadsOf(name: string, value: number): Generator<[string, string]> {
    const { sysIntervalSeconds } = this.#broker.options;
    const perMinute = ((value - (this.#previous.get(name) ?? 0)) * 60) / sysIntervalSeconds;
    this.#previous.set(name, value);
    for (const minutes of LOAD_MINUTES) {
      const topic = `load/${name}/${minutes}min`;
      const weight = Math.exp(-sysIntervalSeconds / (minutes * 60));
      const load = perMinute + weight * ((this.#loads.get(topic) ?? 0) - perMinute);
      this.#loads.set(topic, load);
      yield [topic, load.toFixed(2)];
    }
  }
}

function brokerValues(broker: Broker): ValuesOf<'broker'> {
  const { stats, options, queueMemory, retained, tree } = broker;
  return {
    version: `shoal version ${options.version}`,
    uptimeSeconds: Math.floor((broker.now - broker.startedAt) / 1000),
    clientsConnected: stats.clientsConnected,
    clientsMaximum: stats.clientsMaximum,
    sessions: broker.sessionCount,
    sessionsDisconnected: broker.sessionCount - stats.clientsConnected,
    sessionsExpired: stats.sessionsExpired,
    connectionsRefused: stats.connectionsRefused,
    clientFaults: stats.protocolErrors,
    socketsOpened: stats.socketConnections,
    connectsReceived: stats.connectsReceived,
    packetsReceived: stats.packetsReceived,
    packetsSent: stats.packetsSent,
    bytesReceived: stats.bytesReceived,
    bytesSent: stats.bytesSent,
    publishReceived: stats.publishReceived,
    publishSent: stats.publishSent,
    publishReceivedBytes: stats.publishReceivedBytes,
    publishSentBytes: stats.publishSentBytes,
    messagesDropped: stats.publishDropped,
    messagesExpired: stats.publishExpired,
    queuedMessages: queueMemory.deliveries,
    queuedBytes: queueMemory.bytes,
    retainedMessages: retained.count,
    retainedBytes: retained.bytes,
    retainedRefused: stats.retainedRefused,
    subscriptions: tree.size,
    sharedSubscriptions: tree.sharedSize,
    denied: stats.denied,
  };
}
