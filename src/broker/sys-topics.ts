// Publishes the node's metrics as retained messages under $SYS/broker, and mosquitto's load averages
// of them. What exists there is src/metrics/metric-list.ts; this file knows how to publish it.
// Invariant: a topic is published only when its value has changed, and cleared when its metric has
// no such value any more.

import { type Metric, type MetricValue, sysValuesOf } from '../metrics/metric.ts';
import { type MetricGroupId, metricGroups, type ValuesOf } from '../metrics/metric-list.ts';
import type { BrokerContext } from './context.ts';
import { NO_BYTES } from './message/message.ts';
import { Price } from './prices.ts';

const PREFIX = '$SYS/broker/';
const LOAD_MINUTES = [1, 5, 15] as const;

interface Source {
  readonly metrics: readonly (readonly [string, Metric])[];
  /** By metric id. */
  readonly values: () => Readonly<Record<string, MetricValue>>;
}

export class SysTopics {
  readonly #context: BrokerContext;
  readonly #published = new Map<string, string>();
  /** Counters as they were at the previous round, by load name. */
  readonly #previous = new Map<string, number>();
  /** Averages per minute, by topic. */
  readonly #loads = new Map<string, number>();
  readonly #sources: Source[] = [];

  constructor(context: BrokerContext) {
    this.#context = context;
    this.addSource('broker', () => brokerValues(context));
    this.addSource('guards', () => guardValues(context));
    if (context.options.sysIntervalSeconds > 0) this.#schedule(context.budget.now);
  }

  /** @param values asked for at each round; must not throw */
  addSource<Id extends MetricGroupId>(group: Id, values: () => ValuesOf<Id>): void {
    const metrics: Readonly<Record<string, Metric>> = metricGroups[group];
    this.#sources.push({ metrics: Object.entries(metrics), values });
  }

  /** Every metric with its id and its value of now. */
  *metrics(): Generator<[id: string, Metric, MetricValue]> {
    for (const { metrics, values } of this.#sources) {
      const current = values();
      for (const [id, metric] of metrics) yield [id, metric, current[id]!];
    }
  }

  #schedule(at: number): void {
    const { deadlines, budget, options } = this.#context;
    deadlines.schedule(at, (now) => {
      budget.inTurns(this.#round());
      this.#schedule(now + options.sysIntervalSeconds * 1000);
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

  /** Publishes an event at once, not retained. Nothing is published while $SYS is off. */
  publishEvent(topic: string, text: string): void {
    if (this.#context.options.sysIntervalSeconds === 0) return;
    const payload = Buffer.from(text);
    const content = {
      payload,
      properties: NO_BYTES,
      qos: 0,
      retain: false,
      expirySeconds: -1,
    } as const;
    this.#context.distributor.publish(PREFIX + topic, content, undefined);
  }

  /** Publishes a state at once, retained. Nothing is published while $SYS is off. */
  publishState(topic: string, text: string): void {
    if (this.#context.options.sysIntervalSeconds > 0) this.#publish(topic, text);
  }

  /** @returns the work that it cost, in deliveries */
  #update(topic: string, text: string): number {
    if (this.#published.get(topic) === text) return Price.sysValue;
    if (text === '') this.#published.delete(topic);
    else this.#published.set(topic, text);
    const { budget } = this.#context;
    const before = budget.workLeft;
    this.#publish(topic, text);
    return Price.sysValue + Price.sysColdness * (before - budget.workLeft);
  }

  /** @param text empty: the retained message is removed */
  #publish(topic: string, text: string): void {
    const payload = Buffer.from(text);
    const content = {
      payload,
      properties: NO_BYTES,
      qos: 0,
      retain: true,
      expirySeconds: -1,
    } as const;
    this.#context.distributor.publish(PREFIX + topic, content, undefined);
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
    const { sysIntervalSeconds } = this.#context.options;
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

function guardValues(context: BrokerContext): ValuesOf<'guards'> {
  const { slowed, slowSubscribers, bans, loginGuard } = context;
  const slow = slowSubscribers.measure().filter(({ isOnline }) => isOnline);
  return {
    slowSubscribers: slow.map(({ clientId: client, messages: value }) => ({
      labels: { client },
      value,
    })),
    clientsSlowed: slowed.count,
    packetsDelayed: slowed.packets,
    bans: bans.size,
    bansAdded: bans.added,
    connectionsBanned: loginGuard.refused,
  };
}

function brokerValues(context: BrokerContext): ValuesOf<'broker'> {
  const {
    stats,
    options,
    queueMemory,
    retained,
    tree,
    accounts,
    bounds,
    sessions,
    budget,
    startedAt,
  } = context;
  return {
    version: `shoal version ${options.version}`,
    uptimeSeconds: Math.floor((budget.now - startedAt) / 1000),
    clientsConnected: stats.clientsConnected,
    clientsMaximum: stats.clientsMaximum,
    sessions: sessions.size,
    sessionsDisconnected: sessions.size - stats.clientsConnected,
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
    messagesRepeated: stats.publishRepeated,
    queuedMessages: queueMemory.deliveries,
    queuedBytes: queueMemory.bytes,
    memoryBytes: accounts.bytes,
    boundsReached: bounds.size,
    retainedMessages: retained.count,
    retainedBytes: retained.bytes,
    retainedRefused: stats.retainedRefused,
    subscriptions: tree.size,
    sharedSubscriptions: tree.sharedSize,
    subscriptionsRefused: stats.subscriptionsRefused,
    denied: stats.denied,
  };
}
