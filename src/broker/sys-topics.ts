// What the broker tells about itself under $SYS/broker, under mosquitto's names, as retained
// messages. Only values that changed are published.

import type { Broker } from './broker.ts';
import { NO_BYTES } from './message/message.ts';

const PREFIX = '$SYS/broker/';
const MINUTES = [1, 5, 15] as const;

/** What a value that is not published costs, in deliveries. */
const LOOK_WORK = 20;
/** Each has one message for many clients: a delivery costs more than in the midst of a flood. */
const COLD_FACTOR = 4;

/** Counters whose rate over 1, 5 and 15 minutes is told as load. */
type Sample = Record<string, number>;

export class SysTopics {
  readonly #broker: Broker;
  readonly #published = new Map<string, string>();
  #previous: Sample = {};
  readonly #sources: (() => Record<string, string>)[] = [];
  readonly #loads = new Map<string, number>();

  constructor(broker: Broker) {
    this.#broker = broker;
    if (broker.options.sysIntervalSeconds > 0) this.#schedule(broker.now);
  }

  #publish(name: string, value: string): void {
    const topic = PREFIX + name;
    if (this.#published.get(topic) === value) return;
    this.#published.set(topic, value);
    const broker = this.#broker;
    broker.publishMessage(
      {
        topic: broker.topics.intern(topic),
        payload: Buffer.from(value),
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

  /** Adds values of another part of the node, asked for at each round. */
  addSource(values: () => Record<string, string>): void {
    this.#sources.push(values);
  }

  #schedule(at: number): void {
    this.#broker.deadlines.schedule(at, (now) => {
      this.#broker.inTurns(this.#round());
      this.#schedule(now + this.#broker.options.sysIntervalSeconds * 1000);
    });
  }

  /** Very many may have subscribed: a step for each topic. */
  *#round(): Generator<number> {
    for (const [name, value] of this.#values()) {
      const before = this.#broker.workLeft;
      this.#publish(name, value);
      yield LOOK_WORK + COLD_FACTOR * (before - this.#broker.workLeft);
    }
  }

  *#values(): Generator<[string, string]> {
    const broker = this.#broker;
    const { stats, options } = broker;
    const uptimeSeconds = Math.floor((broker.now - broker.startedAt) / 1000);
    yield ['version', `shoal version ${options.version}`];
    yield ['uptime', `${uptimeSeconds} seconds`];
    const offline = broker.sessionCount - stats.clientsConnected;
    const values: Sample = {
      'clients/total': broker.sessionCount,
      'clients/connected': stats.clientsConnected,
      'clients/active': stats.clientsConnected,
      'clients/disconnected': offline,
      'clients/inactive': offline,
      'clients/maximum': stats.clientsMaximum,
      'clients/expired': stats.sessionsExpired,
      'clients/refused': stats.connectionsRefused,
      'clients/faults': stats.protocolErrors,
      'messages/received': stats.packetsReceived,
      'messages/sent': stats.packetsSent,
      'messages/stored': broker.retained.count,
      'bytes/received': stats.bytesReceived,
      'bytes/sent': stats.bytesSent,
      'publish/messages/received': stats.publishReceived,
      'publish/messages/sent': stats.publishSent,
      'publish/messages/dropped': stats.publishDropped,
      'publish/messages/expired': stats.publishExpired,
      'publish/bytes/received': stats.publishReceivedBytes,
      'publish/bytes/sent': stats.publishSentBytes,
      'retained messages/count': broker.retained.count,
      'retained messages/refused': stats.retainedRefused,
      'queued messages/count': broker.queueMemory.deliveries,
      'queued messages/bytes': broker.queueMemory.bytes,
      'subscriptions/count': broker.tree.size,
      'shared_subscriptions/count': broker.tree.sharedSize,
      'store/messages/count': broker.retained.count,
      'store/messages/bytes': broker.retained.bytes,
    };
    for (const [name, value] of Object.entries(values)) yield [name, String(value)];
    yield* this.#loadValues();
    for (const source of this.#sources) yield* Object.entries(source());
  }

  *#loadValues(): Generator<[string, string]> {
    const { stats, options } = this.#broker;
    const sample: Sample = {
      'messages/received': stats.packetsReceived,
      'messages/sent': stats.packetsSent,
      'publish/received': stats.publishReceived,
      'publish/sent': stats.publishSent,
      'publish/dropped': stats.publishDropped,
      'bytes/received': stats.bytesReceived,
      'bytes/sent': stats.bytesSent,
      connections: stats.connectsReceived,
      sockets: stats.socketConnections,
    };
    const interval = options.sysIntervalSeconds;
    for (const [name, value] of Object.entries(sample)) {
      const perMinute = ((value - (this.#previous[name] ?? 0)) * 60) / interval;
      for (const minutes of MINUTES) {
        const key = `load/${name}/${minutes}min`;
        // Exponential moving average, as mosquitto computes its own.
        const weight = Math.exp(-interval / (minutes * 60));
        const load = perMinute + weight * ((this.#loads.get(key) ?? 0) - perMinute);
        this.#loads.set(key, load);
        yield [key, load.toFixed(2)];
      }
    }
    this.#previous = sample;
  }
}
