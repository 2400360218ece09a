// Drives one bridge core: opens its connections, moves its time, and gives it the turns that it asks for.

import { performance } from 'node:perf_hooks';
import { Bridge } from '../../bridge/bridge.ts';
import type { BridgeCounters } from '../../bridge/counters.ts';
import type { BridgeOptions } from '../../bridge/options.ts';
import type { BridgePort } from '../../bridge/ports.ts';
import type { Logger } from '../../shared/logger.ts';
import { secureRandom } from '../../shared/random.ts';
import { FarConnection } from './far-connection.ts';
import type { FarTls } from './far-transport.ts';

/** What the node supplies: its own side of the bridge. */
export type LocalPort = Omit<BridgePort, 'connect' | 'defer' | 'deadlineChanged'>;

export interface RunnerParts {
  readonly options: BridgeOptions;
  readonly tls: FarTls;
  readonly local: LocalPort;
  readonly log: Logger;
  readonly counters: BridgeCounters;
}

export class BridgeRunner {
  readonly bridge: Bridge;
  #timer: NodeJS.Timeout | undefined;

  constructor({ options, tls, local, log, counters }: RunnerParts) {
    const port: BridgePort = {
      get now() {
        return local.now;
      },
      get isSessionKnown() {
        return local.isSessionKnown;
      },
      attach: (outbox, sendWindow, now) => local.attach(outbox, sendWindow, now),
      forgetReceived: () => local.forgetReceived(),
      sendRetained: (client, now) => local.sendRetained(client, now),
      stateChanged: (isConnected) => local.stateChanged(isConnected),
      connect: (address) => new FarConnection(this.bridge, address, tls, options.packetBytesMax),
      defer: () => setImmediate(() => this.bridge.runDeferred(performance.now())),
      deadlineChanged: () => this.#arm(),
    };
    const now = performance.now();
    this.bridge = new Bridge({ options, port, log, random: secureRandom, now, counters });
  }

  start(): void {
    this.bridge.start(performance.now());
  }

  stop(): void {
    this.bridge.stop(performance.now());
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const delayMs = this.bridge.nextDeadline - performance.now();
    if (delayMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.bridge.advance(performance.now());
        this.#arm();
      },
      Math.max(0, Math.ceil(delayMs)),
    );
  }
}
