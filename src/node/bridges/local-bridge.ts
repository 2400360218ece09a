// One bridge of this node: its session on the broker, which collects, its runner, which sends, and the
// figures of both as people see them.

import { performance } from 'node:perf_hooks';
import { AccessControl } from '../../auth/access-control.ts';
import type { BridgeState } from '../../bridge/bridge.ts';
import { makeCounters } from '../../bridge/counters.ts';
import { type BridgeOptions, formatAddress } from '../../bridge/options.ts';
import { TopicMapper } from '../../bridge/topic-mapper.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Client } from '../../broker/client/client.ts';
import { LOCAL_PREFIX, type LocalSessionState } from '../../broker/session/local-session.ts';
import type { BridgeConfig } from '../../config/bridges.ts';
import type { BridgeView, FarSideView } from '../../http/node-api.ts';
import type { ConnackPacket } from '../../mqtt/client-packets.ts';
import { BridgeRunner, type LocalPort } from '../../net/bridges/bridge-runner.ts';
import type { Logger } from '../../shared/logger.ts';
import { RecentIncrease } from '../../shared/recent-increase.ts';
import type { LostBridge } from '../status/node-troubles.ts';
import { wallTime } from '../wall-time.ts';
import type { PlacedBridge } from './bridge-places.ts';
import { QueueAges } from './queue-ages.ts';

/** Rates are those of the last seconds. */
const RATE_MS = 10_000;

const EMPTY: LocalSessionState = {
  queued: 0,
  queuedBytes: 0,
  inflight: 0,
  dropped: 0,
  lastId: 0,
  oldestId: 0,
};
const STATES: Readonly<Record<BridgeState, BridgeView['state']>> = {
  off: 'standby',
  connecting: 'connecting',
  greeting: 'connecting',
  connected: 'connected',
  waiting: 'waiting',
};

export class LocalBridge {
  readonly counters = makeCounters();
  readonly #broker: Broker;
  readonly #clientId: string;
  readonly #log: Logger;
  #config: BridgeConfig;
  #runner: BridgeRunner;
  readonly #ages = new QueueAges();
  readonly #sent = new RecentIncrease(RATE_MS);
  readonly #received = new RecentIncrease(RATE_MS);
  readonly #dropped = new RecentIncrease(RATE_MS);
  #expired = 0;

  /** Opens the session; the bridge itself begins with start(). */
  constructor(config: BridgeConfig, broker: Broker, log: Logger) {
    this.#config = config;
    this.#broker = broker;
    this.#log = log;
    this.#clientId = clientIdOf(config);
    this.#runner = this.#open();
  }

  get config(): BridgeConfig {
    return this.#config;
  }

  /**
   * Takes over another configuration of the same name: what waits stays, if its topics do not exclude it.
   * The bridge is off afterwards.
   */
  reconfigure(config: BridgeConfig): void {
    this.stop();
    this.#config = config;
    this.#runner = this.#open();
  }

  #open(): BridgeRunner {
    const { options, tls } = this.#config;
    const local = this.#port(this.#openSession());
    this.#publishState('0');
    return new BridgeRunner({ options, tls, local, log: this.#log, counters: this.counters });
  }

  get name(): string {
    return this.#config.options.name;
  }

  start(): void {
    this.#runner.start();
  }

  stop(): void {
    this.#runner.stop();
  }

  /** The configuration has it no more. Its session is left to the caller. */
  remove(): void {
    this.stop();
    this.#publishState('');
  }

  /** @returns false while another node runs the bridge */
  reconnect(): boolean {
    return this.#runner.bridge.reconnect(performance.now());
  }

  /** @returns true if it existed */
  #openSession(): boolean {
    const { options, qosMin, retain, runOn } = this.#config;
    return this.#broker.openLocalSession(
      {
        identity: {
          clientId: this.#clientId,
          username: undefined,
          grant: AccessControl.trusted,
        },
        subscriptions: TopicMapper.outgoing(options.topics).subscriptions,
        limits: this.#config,
        rules: { qosMin, retain, onlyOfThisNode: runOn === 'each' },
      },
      performance.now(),
    );
  }

  #port(isSessionKnown: boolean): LocalPort {
    const broker = this.#broker;
    return {
      get now() {
        return broker.now;
      },
      isSessionKnown,
      attach: (outbox, sendWindow, now) => {
        // An administrator may have ended it.
        this.#openSession();
        return broker.acceptLocal(outbox, this.#clientId, sendWindow, now);
      },
      forgetReceived: () => broker.forgetReceived(this.#clientId),
      sendRetained: (client, now) => broker.sendRetained(client as Client, now),
      stateChanged: (isConnected) => this.#publishState(isConnected ? '1' : '0'),
    };
  }

  #publishState(state: '0' | '1' | ''): void {
    const topic = `connection/${this.name}/state`;
    this.#broker.publishState(topic, state, performance.now());
  }

  /** The bridge as the nodes of a cluster agree on the one that runs it. */
  get placed(): PlacedBridge {
    const broker = this.#broker;
    const session = (): LocalSessionState => this.session;
    return {
      name: this.name,
      get lastId() {
        return session().lastId;
      },
      get oldestId() {
        return session().oldestId;
      },
      dropSent: (afterId, upToId) =>
        broker.dropDeliveries(this.#clientId, afterId, upToId, performance.now()),
      run: (isHere) => {
        const event = isHere ? 'this node runs the bridge' : 'another node runs the bridge';
        this.#log.info(event, { bridge: this.name });
        if (isHere) this.start();
        else this.stop();
      },
    };
  }

  /** Call once a second: measures rates, and drops messages that have waited for too long. */
  tick(now: number): void {
    const { ageMaxSeconds } = this.#config;
    const { sent, received } = this.counters;
    this.#ages.note(now, this.session.lastId);
    const upToId = this.#ages.lastIdAt(now - ageMaxSeconds * 1000);
    const dropped = upToId === 0 ? 0 : this.#broker.dropDeliveries(this.#clientId, 0, upToId, now);
    this.#expired += dropped;
    this.#sent.sample(sent, now);
    this.#received.sample(received, now);
    this.#dropped.sample(this.dropped, now);
  }

  get session(): LocalSessionState {
    return this.#broker.localSessionState(this.#clientId) ?? EMPTY;
  }

  get state(): BridgeState {
    return this.#runner.bridge.status.state;
  }

  /** What the far side has granted, while it is connected. */
  get granted(): ConnackPacket | undefined {
    return this.#runner.bridge.status.granted;
  }

  /** Messages that have waited for too long. */
  get expired(): number {
    return this.#expired;
  }

  /** Messages that will not reach the far side. */
  get dropped(): number {
    const { unsendable, refusedFar } = this.counters;
    return this.session.dropped + this.#expired + unsendable + refusedFar;
  }

  /** Undefined while it reaches the far side, or is not to. */
  get lost(): LostBridge | undefined {
    const { lostAt, address, lastError } = this.#runner.bridge.status;
    if (lostAt === undefined) return undefined;
    const { queued, inflight } = this.session;
    return {
      name: this.name,
      address: formatAddress(address),
      since: wallTime(lostAt),
      reason: lastError ?? 'no reason known',
      waiting: queued + inflight,
    };
  }

  /** @param node the name of this node */
  view(node: string): BridgeView {
    const { state, since, address, lastError, lostAt, retryAt, granted } =
      this.#runner.bridge.status;
    const { queued, queuedBytes, inflight, oldestId } = this.session;
    const { sent, received } = this.counters;
    const { version } = this.#config.options;
    const oldestAt = oldestId === 0 ? -1 : this.#ages.timeBefore(oldestId);
    return {
      name: this.name,
      node,
      state: STATES[state],
      since: wallTime(since),
      address: formatAddress(address),
      mqtt: version === 5 ? '5.0' : '3.1.1',
      reason: lastError ?? null,
      lostSince: lostAt === undefined ? null : wallTime(lostAt),
      retryAt: retryAt === undefined ? null : wallTime(retryAt),
      queued,
      queuedBytes,
      inflight,
      oldest: oldestAt < 0 ? null : wallTime(oldestAt),
      sent,
      received,
      dropped: this.dropped,
      sentPerSecond: rateOf(this.#sent),
      receivedPerSecond: rateOf(this.#received),
      droppedPerSecond: rateOf(this.#dropped),
      farSide: granted === undefined ? null : farSideOf(granted, this.#config.options),
    };
  }
}

function rateOf(increase: RecentIncrease): number {
  return Number(increase.perSecond.toFixed(1));
}

/** What holds on this connection: the far side may have granted less than the bridge asked for. */
function farSideOf(granted: ConnackPacket, options: BridgeOptions): FarSideView {
  const { sessionPresent, maximumQos, retainAvailable, maximumPacketBytes } = granted;
  const { receiveMaximum, keepAliveSeconds } = granted;
  const isBounded = maximumPacketBytes < Number.POSITIVE_INFINITY;
  return {
    session: sessionPresent ? 'resumed' : 'new',
    maximumQos,
    retain: retainAvailable,
    packetBytesMax: isBounded ? maximumPacketBytes : null,
    inflightMax: Math.min(receiveMaximum, options.inflightMax),
    keepAliveSeconds: keepAliveSeconds ?? options.keepAliveSeconds,
  };
}

/** Its session on this node. */
export function clientIdOf({ options }: BridgeConfig): string {
  return LOCAL_PREFIX + options.name;
}
