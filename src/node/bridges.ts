// The bridges of a node: opens for each a session on the broker, which collects from then on, and runs
// the bridge between that session and the far side.

import { performance } from 'node:perf_hooks';
import { AccessControl } from '../auth/access-control.ts';
import type { BridgeState } from '../bridge/bridge.ts';
import type { BridgeCounters } from '../bridge/counters.ts';
import { formatAddress } from '../bridge/options.ts';
import { TopicMapper } from '../bridge/topic-mapper.ts';
import type { Broker } from '../broker/broker.ts';
import type { Client } from '../broker/client/client.ts';
import { LOCAL_PREFIX } from '../broker/session/local-session.ts';
import type { BridgeConfig } from '../config/bridges.ts';
import type { Config } from '../config/config.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { BridgeRunner, type LocalPort } from '../net/bridges/bridge-runner.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import type { BridgePlaces, PlacedBridge } from './bridge-places.ts';
import { QueueAges } from './queue-ages.ts';
import type { LostBridge } from './verdict.ts';

/** A bridge at one moment. */
interface BridgeInfo {
  readonly name: string;
  readonly state: BridgeState;
  /** Where it is connected, or tries to connect. */
  readonly address: string;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly inflight: number;
  readonly sent: number;
  readonly received: number;
  /** Messages that the queue had no room for. */
  readonly dropped: number;
  readonly lastError: string | undefined;
  /** False while another node of the cluster runs it. */
  readonly runsHere: boolean;
  /** Messages that this node had collected and another one has sent. */
  readonly sentElsewhere: number;
}

/** In a cluster one node runs it, and another one when that dies. */
function isForOneNode({ runOn }: BridgeConfig): boolean {
  return runOn === 'one';
}

/** How often messages are looked for that have waited too long. */
const AGE_CHECK_MS = 1000;

interface Entry {
  readonly config: BridgeConfig;
  readonly clientId: string;
  readonly runner: BridgeRunner;
  readonly ages: QueueAges;
  /** Messages that have waited too long. */
  expired: number;
}

export class Bridges {
  readonly #broker: Broker;
  readonly #log: Logger;
  readonly #entries: readonly Entry[];
  readonly #limiter = new LogLimiter();
  readonly #ageTimer: NodeJS.Timeout | undefined;
  #places: BridgePlaces | undefined;

  /** Opens the sessions; the bridges themselves begin with start(). */
  constructor(config: Pick<Config, 'bridges' | 'nodeName'>, broker: Broker, log: Logger) {
    this.#broker = broker;
    this.#log = log;
    const ours = config.bridges.filter(({ runOn }) =>
      ['one', 'each', config.nodeName].includes(runOn),
    );
    this.#entries = ours.map((one) => this.#open(one, log));
    if (ours.some(({ ageMaxSeconds }) => ageMaxSeconds < Number.POSITIVE_INFINITY)) {
      this.#ageTimer = setInterval(() => this.#expire(performance.now()), AGE_CHECK_MS);
      this.#ageTimer.unref();
    }
    if (ours.length > 0) broker.sys.addSource('bridges', () => this.#metrics());
    broker.endLocalSessions(
      new Set(this.#entries.map(({ clientId }) => clientId)),
      performance.now(),
    );
  }

  /** @param places decides which node of the cluster runs those that only one may run */
  start(places: BridgePlaces | undefined): void {
    for (const { runner, config } of this.#entries) {
      if (places === undefined || !isForOneNode(config)) runner.start();
    }
    if (places === undefined) return;
    this.#places = places;
    const placed = this.#entries.filter(({ config }) => isForOneNode(config));
    places.add(placed.map((entry) => this.#placed(entry)));
  }

  #placed({ clientId, config, runner }: Entry): PlacedBridge {
    const broker = this.#broker;
    const { name } = config.options;
    return {
      name,
      get lastId() {
        return broker.localSessionState(clientId)?.lastId ?? 0;
      },
      get oldestId() {
        return broker.localSessionState(clientId)?.oldestId ?? 0;
      },
      dropSent: (afterId, upToId) =>
        broker.dropDeliveries(clientId, afterId, upToId, performance.now()),
      run: (isHere) => {
        this.#log.info(isHere ? 'this node runs the bridge' : 'another node runs the bridge', {
          bridge: name,
        });
        if (isHere) runner.start();
        else runner.stop();
      },
    };
  }

  stop(): void {
    clearInterval(this.#ageTimer);
    for (const { runner } of this.#entries) runner.stop();
  }

  /** Those that do not reach their far side. */
  lost(): LostBridge[] {
    return this.#entries.flatMap((entry) => {
      const { lostAt } = entry.runner.bridge.status;
      if (lostAt === undefined) return [];
      const {
        name,
        address,
        lastError: reason = 'no reason known',
        queued,
        inflight,
      } = this.#infoOf(entry);
      const since = Date.now() - Math.round(performance.now() - lostAt);
      return [{ name, address, since, reason, waiting: queued + inflight }];
    });
  }

  #open(config: BridgeConfig, log: Logger): Entry {
    const { options, tls } = config;
    const clientId = LOCAL_PREFIX + options.name;
    const isSessionKnown = this.#openSession(config, clientId);
    this.#publishState(options.name, false);
    const port = this.#portOf(config, clientId, isSessionKnown);
    const runner = new BridgeRunner(options, tls, port, log);
    return { config, clientId, runner, ages: new QueueAges(), expired: 0 };
  }

  /** @returns true if it existed */
  #openSession(config: BridgeConfig, clientId: string): boolean {
    const { options, qosMin, retain } = config;
    return this.#broker.openLocalSession(
      {
        identity: { clientId, username: undefined, grant: AccessControl.trusted },
        subscriptions: TopicMapper.outgoing(options.topics).subscriptions,
        limits: config,
        rules: { qosMin, retain, onlyOfThisNode: config.runOn === 'each' },
      },
      performance.now(),
    );
  }

  #portOf(config: BridgeConfig, clientId: string, isSessionKnown: boolean): LocalPort {
    const broker = this.#broker;
    const { name } = config.options;
    return {
      get now() {
        return broker.now;
      },
      isSessionKnown,
      attach: (outbox, sendWindow, now) => {
        // An administrator may have ended it.
        this.#openSession(config, clientId);
        return broker.acceptLocal(outbox, clientId, sendWindow, now);
      },
      forgetReceived: () => broker.forgetReceived(clientId),
      sendRetained: (client, now) => broker.sendRetained(client as Client, now),
      stateChanged: (isConnected) => this.#publishState(name, isConnected),
    };
  }

  #publishState(name: string, isConnected: boolean): void {
    const topic = `connection/${name}/state`;
    this.#broker.publishState(topic, isConnected ? '1' : '0', performance.now());
  }

  #expire(now: number): void {
    for (const entry of this.#entries) {
      const { config, clientId, ages } = entry;
      ages.note(now, this.#broker.localSessionState(clientId)?.lastId ?? 0);
      const upToId = ages.lastIdAt(now - config.ageMaxSeconds * 1000);
      const dropped = upToId === 0 ? 0 : this.#broker.dropDeliveries(clientId, 0, upToId, now);
      entry.expired += dropped;
      const bridge = config.options.name;
      if (this.#limiter.admitTotal(bridge, entry.expired, now)) {
        const event = 'bridge: messages dropped that have waited longer than max-age';
        this.#log.warn(event, { bridge, count: entry.expired });
      }
    }
  }

  #metrics(): ValuesOf<'bridges'> {
    const each = (value: (info: BridgeInfo, counters: Readonly<BridgeCounters>) => number) =>
      this.#entries.map((entry) => ({
        labels: { bridge: entry.config.options.name },
        value: value(this.#infoOf(entry), entry.runner.bridge.status.counters),
      }));
    return {
      connected: each(({ state }) => Number(state === 'connected')),
      runsHere: each(({ runsHere }) => Number(runsHere)),
      queued: each(({ queued }) => queued),
      queuedBytes: each(({ queuedBytes }) => queuedBytes),
      inflight: each(({ inflight }) => inflight),
      sent: each((_, { sent }) => sent),
      received: each((_, { received }) => received),
      dropped: each(({ dropped }) => dropped),
      expired: this.#entries.map(({ config, expired }) => ({
        labels: { bridge: config.options.name },
        value: expired,
      })),
      unsendable: each((_, { unsendable }) => unsendable),
      refusedFar: each((_, { refusedFar }) => refusedFar),
      refusedHere: each((_, { refusedHere }) => refusedHere),
      returned: each((_, { looped }) => looped),
      connects: each((_, { connects }) => connects),
      failures: each((_, { failures }) => failures),
      sentElsewhere: each(({ sentElsewhere }) => sentElsewhere),
    };
  }

  #infoOf({ config, clientId, runner }: Entry): BridgeInfo {
    const { state, address, lastError, counters } = runner.bridge.status;
    const session = this.#broker.localSessionState(clientId);
    const { name } = config.options;
    return {
      name,
      state,
      address: formatAddress(address),
      queued: session?.queued ?? 0,
      queuedBytes: session?.queuedBytes ?? 0,
      inflight: session?.inflight ?? 0,
      sent: counters.sent,
      received: counters.received,
      dropped: session?.dropped ?? 0,
      lastError,
      runsHere: state !== 'off',
      sentElsewhere: this.#places?.sentElsewhere(name) ?? 0,
    };
  }
}
