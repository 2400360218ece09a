// The bridges of a node: those of its configuration, each with its session on the broker, which collects
// from then on, and what all of them have in common: their clock, their metrics, their place in a cluster.

import { performance } from 'node:perf_hooks';
import { isDeepStrictEqual } from 'node:util';
import type { Broker } from '../../broker/broker.ts';
import { LOCAL_PREFIX } from '../../broker/session/local-session.ts';
import { type BridgeConfig, bridgesOf } from '../../config/bridges.ts';
import type { Config } from '../../config/config.ts';
import type { BridgeFacts } from '../../doctor/context.ts';
import type { BridgesApi, BridgeView } from '../../http/node-api.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';
import type { LostBridge } from '../status/node-troubles.ts';
import type { BridgePlaces } from './bridge-places.ts';
import { clientIdOf, LocalBridge } from './local-bridge.ts';

/** How often rates are measured, and messages looked for that have waited too long. */
const TICK_MS = 1000;

type BridgesConfig = Pick<Config, 'bridges' | 'nodeName'>;

/** In a cluster one node runs it, and another one when that dies. */
function isForOneNode({ runOn }: BridgeConfig): boolean {
  return runOn === 'one';
}

/** Whatever line of the file it is at. */
function isSame(one: BridgeConfig, other: BridgeConfig): boolean {
  return isDeepStrictEqual({ ...one, place: '' }, { ...other, place: '' });
}

export class Bridges implements BridgesApi {
  readonly #nodeName: string;
  readonly #broker: Broker;
  readonly #log: Logger;
  readonly #limiter = new LogLimiter();
  /** In the order of the file. */
  #all: readonly LocalBridge[] = [];
  #timer: NodeJS.Timeout | undefined;
  #places: BridgePlaces | undefined;
  #hasMetrics = false;

  /** Opens the sessions; the bridges themselves begin with start(). */
  constructor(config: BridgesConfig, broker: Broker, log: Logger) {
    this.#nodeName = config.nodeName;
    this.#broker = broker;
    this.#log = log;
    this.#all = bridgesOf(config).map((one) => new LocalBridge(one, broker, log));
    this.#changed();
  }

  /** @param places decides which node of the cluster runs those that only one may run */
  start(places: BridgePlaces | undefined): void {
    this.#places = places;
    for (const bridge of this.#all) this.#begin(bridge);
  }

  #begin(bridge: LocalBridge): void {
    const places = isForOneNode(bridge.config) ? this.#places : undefined;
    if (places === undefined) bridge.start();
    else places.add(bridge.placed);
  }

  /**
   * Takes over another configuration. A bridge that has not changed is not touched, and one that has
   * changed keeps what waits.
   */
  reload(config: BridgesConfig): void {
    const before = new Map(this.#all.map((bridge) => [bridge.name, bridge]));
    const wanted = bridgesOf(config);
    for (const bridge of this.#all) {
      const next = wanted.find(({ options }) => options.name === bridge.name);
      if (next === undefined) bridge.remove();
      if (next === undefined || !isForOneNode(next)) this.#places?.remove(bridge.name);
    }
    this.#all = wanted.map((one) => this.#renew(before.get(one.options.name), one));
    this.#changed();
  }

  #renew(known: LocalBridge | undefined, config: BridgeConfig): LocalBridge {
    if (known !== undefined && isSame(known.config, config)) return known;
    const bridge = known ?? new LocalBridge(config, this.#broker, this.#log);
    if (known !== undefined) known.reconfigure(config);
    const event = known === undefined ? 'bridge added' : 'bridge changed';
    this.#log.info(event, { bridge: bridge.name });
    this.#begin(bridge);
    return bridge;
  }

  /** Ends the sessions of bridges that are gone; from the first bridge on there are figures. */
  #changed(): void {
    const kept = new Set(this.#all.map(({ config }) => clientIdOf(config)));
    for (const { clientId, waiting } of this.#broker.endLocalSessions(kept, performance.now())) {
      const bridge = clientId.slice(LOCAL_PREFIX.length);
      if (waiting === 0) this.#log.info('bridge removed', { bridge });
      else this.#log.warn('bridge removed; what waited is dropped', { bridge, waiting });
    }
    if (this.#all.length === 0 || this.#hasMetrics) return;
    this.#hasMetrics = true;
    this.#broker.sys.addSource('bridges', () => this.#metrics());
    this.#timer = setInterval(() => this.#tick(performance.now()), TICK_MS);
    this.#timer.unref();
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
