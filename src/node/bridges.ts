// The bridges of a node: those of its configuration, each with its session on the broker, which collects
// from then on, and what all of them have in common: their clock, their metrics, their place in a cluster.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../broker/broker.ts';
import { type BridgeConfig, bridgesOf } from '../config/bridges.ts';
import type { Config } from '../config/config.ts';
import type { BridgeFacts } from '../doctor/context.ts';
import type { BridgesApi, BridgeView } from '../http/node-api.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import type { BridgePlaces } from './bridge-places.ts';
import { clientIdOf, LocalBridge } from './local-bridge.ts';
import type { LostBridge } from './node-troubles.ts';

/** How often rates are measured, and messages looked for that have waited too long. */
const TICK_MS = 1000;

/** In a cluster one node runs it, and another one when that dies. */
function isForOneNode({ runOn }: BridgeConfig): boolean {
  return runOn === 'one';
}

export class Bridges implements BridgesApi {
  readonly #nodeName: string;
  readonly #log: Logger;
  readonly #all: readonly LocalBridge[];
  readonly #limiter = new LogLimiter();
  readonly #timer: NodeJS.Timeout | undefined;
  #places: BridgePlaces | undefined;

  /** Opens the sessions; the bridges themselves begin with start(). */
  constructor(config: Pick<Config, 'bridges' | 'nodeName'>, broker: Broker, log: Logger) {
    this.#nodeName = config.nodeName;
    this.#log = log;
    const ours = bridgesOf(config);
    this.#all = ours.map((one) => new LocalBridge(one, broker, log));
    broker.endLocalSessions(new Set(ours.map(clientIdOf)), performance.now());
    if (ours.length === 0) return;
    broker.sys.addSource('bridges', () => this.#metrics());
    this.#timer = setInterval(() => this.#tick(performance.now()), TICK_MS);
    this.#timer.unref();
  }

  /** @param places decides which node of the cluster runs those that only one may run */
  start(places: BridgePlaces | undefined): void {
    for (const bridge of this.#all) {
      if (places === undefined || !isForOneNode(bridge.config)) bridge.start();
    }
    if (places === undefined) return;
    this.#places = places;
    const placed = this.#all.filter(({ config }) => isForOneNode(config));
    places.add(placed.map((bridge) => bridge.placed));
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const bridge of this.#all) bridge.stop();
  }

  /** Those that do not reach their far side. */
  lost(): LostBridge[] {
    return this.#all.flatMap(({ lost }) => lost ?? []);
  }

  list(): readonly BridgeView[] {
    return this.#all.map((bridge) => bridge.view(this.#nodeName));
  }

  /** By the name of the bridge. */
  facts(): ReadonlyMap<string, BridgeFacts> {
    return new Map(
      this.#all.map(({ name, granted, lost }) => [name, { granted, lostReason: lost?.reason }]),
    );
  }

  reconnect(name: string): boolean {
    return this.#all.find((bridge) => bridge.name === name)?.reconnect() ?? false;
  }

  #tick(now: number): void {
    for (const bridge of this.#all) {
      bridge.tick(now);
      const { name, expired } = bridge;
      if (!this.#limiter.admitTotal(name, expired, now)) continue;
      const event = 'bridge: messages dropped that have waited longer than max-age';
      this.#log.warn(event, { bridge: name, count: expired });
    }
  }

  #metrics(): ValuesOf<'bridges'> {
    const each = (value: (bridge: LocalBridge) => number) =>
      this.#all.map((bridge) => ({ labels: { bridge: bridge.name }, value: value(bridge) }));
    return {
      connected: each(({ state }) => Number(state === 'connected')),
      runsHere: each(({ state }) => Number(state !== 'off')),
      queued: each(({ session }) => session.queued),
      queuedBytes: each(({ session }) => session.queuedBytes),
      inflight: each(({ session }) => session.inflight),
      sent: each(({ counters }) => counters.sent),
      received: each(({ counters }) => counters.received),
      dropped: each(({ session }) => session.dropped),
      expired: each(({ expired }) => expired),
      unsendable: each(({ counters }) => counters.unsendable),
      refusedFar: each(({ counters }) => counters.refusedFar),
      refusedHere: each(({ counters }) => counters.refusedHere),
      returned: each(({ counters }) => counters.looped),
      connects: each(({ counters }) => counters.connects),
      failures: each(({ counters }) => counters.failures),
      sentElsewhere: each(({ name }) => this.#places?.sentElsewhere(name) ?? 0),
    };
  }
}
