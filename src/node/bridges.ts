// The bridges of a node: opens for each a session on the broker, which collects from then on, and runs
// the bridge between that session and the far side.

import { performance } from 'node:perf_hooks';
import { AccessControl } from '../auth/access-control.ts';
import type { BridgeState } from '../bridge/bridge.ts';
import { formatAddress } from '../bridge/options.ts';
import { TopicMapper } from '../bridge/topic-mapper.ts';
import type { Broker } from '../broker/broker.ts';
import type { Client } from '../broker/client/client.ts';
import { LOCAL_PREFIX } from '../broker/session/local-session.ts';
import type { BridgeConfig } from '../config/bridges.ts';
import { BridgeRunner, type LocalPort } from '../net/bridges/bridge-runner.ts';
import type { Logger } from '../shared/logger.ts';

/** A bridge as pages and commands show it. */
export interface BridgeInfo {
  readonly name: string;
  readonly state: BridgeState;
  /** Age of the state, milliseconds. */
  readonly stateForMs: number;
  /** Where it is connected, or tries to connect. */
  readonly address: string;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly inflight: number;
  readonly sent: number;
  readonly received: number;
  /** Messages that the queue had no room for, or that the far side could not take. */
  readonly dropped: number;
  readonly lastError: string | undefined;
  /** False while another node of the cluster runs it. */
  readonly runsHere: boolean;
}

interface Entry {
  readonly config: BridgeConfig;
  readonly clientId: string;
  readonly runner: BridgeRunner;
}

export class Bridges {
  readonly #broker: Broker;
  readonly #entries: readonly Entry[];

  /** Opens the sessions; the bridges themselves begin with start(). */
  constructor(configs: readonly BridgeConfig[], broker: Broker, log: Logger) {
    this.#broker = broker;
    this.#entries = configs.map((config) => this.#open(config, log));
    broker.endLocalSessions(
      new Set(this.#entries.map(({ clientId }) => clientId)),
      performance.now(),
    );
  }

  start(): void {
    for (const { runner } of this.#entries) runner.start();
  }

  stop(): void {
    for (const { runner } of this.#entries) runner.stop();
  }

  status(): BridgeInfo[] {
    return this.#entries.map((entry) => this.#infoOf(entry));
  }

  #open(config: BridgeConfig, log: Logger): Entry {
    const { options, tls, qosMin, retain } = config;
    const clientId = LOCAL_PREFIX + options.name;
    const rules = { qosMin, retain, onlyOfThisNode: false };
    const isSessionKnown = this.#broker.openLocalSession(
      {
        identity: { clientId, username: undefined, grant: AccessControl.trusted },
        subscriptions: TopicMapper.outgoing(options.topics).subscriptions,
        limits: config,
        rules,
      },
      performance.now(),
    );
    this.#publishState(options.name, false);
    const port = this.#portOf(options.name, clientId, isSessionKnown);
    return { config, clientId, runner: new BridgeRunner(options, tls, port, log) };
  }

  #portOf(name: string, clientId: string, isSessionKnown: boolean): LocalPort {
    const broker = this.#broker;
    return {
      get now() {
        return broker.now;
      },
      isSessionKnown,
      attach: (outbox, sendWindow, now) => broker.acceptLocal(outbox, clientId, sendWindow, now),
      forgetReceived: () => broker.forgetReceived(clientId),
      sendRetained: (client, now) => broker.sendRetained(client as Client, now),
      stateChanged: (isConnected) => this.#publishState(name, isConnected),
    };
  }

  #publishState(name: string, isConnected: boolean): void {
    const topic = `connection/${name}/state`;
    this.#broker.publishState(topic, isConnected ? '1' : '0', performance.now());
  }

  #infoOf({ config, clientId, runner }: Entry): BridgeInfo {
    const { state, since, address, lastError, counters } = runner.bridge.status;
    const session = this.#broker.localSessionState(clientId);
    return {
      name: config.options.name,
      state,
      stateForMs: Math.round(performance.now() - since),
      address: formatAddress(address),
      queued: session?.queued ?? 0,
      queuedBytes: session?.queuedBytes ?? 0,
      inflight: session?.inflight ?? 0,
      sent: counters.sent,
      received: counters.received,
      dropped: (session?.dropped ?? 0) + counters.unsendable + counters.refusedFar,
      lastError,
      runsHere: state !== 'off',
    };
  }
}
