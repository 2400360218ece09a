// All listeners of a node: opened together or not at all, then changed, added and closed as the
// configuration says, and closed together. Shares out the file descriptors among them and watches
// whether any is left.

import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Broker } from '../../broker/broker.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { formatEndpoint } from '../../shared/endpoint.ts';
import type { ListenerConfig } from '../../shared/listener-config.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { hasFreeDescriptor, readDescriptorLimit } from './descriptors.ts';
import { Listener, type ListenerParts, ListenerStats } from './listener.ts';
import { PreConnectLimit } from './pre-connect-limit.ts';
import { SocketLimit } from './socket-limit.ts';

const KEPT = 'file not reloaded: its last valid version stays in force';
const NOT_OPENED = 'a listener could not be opened';
const CHECK_INTERVAL_MS = 2_000;
const FAULT_DESCRIPTORS = 'descriptors';
const FAULT_FILES = 'files';

interface Problem {
  readonly event: string;
  readonly text: string;
  readonly places: readonly string[];
}

/** By event and text: a problem that several listeners share gets one line. */
type Problems = Map<string, Problem>;

export class Listeners {
  #all: Listener[] = [];
  readonly #parts: ListenerParts;
  readonly #faults = new OngoingFaults();
  readonly #timer: NodeJS.Timeout;
  /** Checks that found no file descriptor left: the system then ends new connections by itself. */
  #descriptorShortages = 0;

  private constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#check(performance.now()), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Rejects as Listener.open does; then no listener is open. */
  static async open(configs: readonly ListenerConfig[], broker: Broker): Promise<Listeners> {
    const { descriptors, socketsMax, reserve } = readDescriptorLimit();
    const listeners = new Listeners({
      broker,
      socketLimit: new SocketLimit(socketsMax, Math.floor(reserve / 2)),
      preConnectLimit: new PreConnectLimit(),
      stats: new ListenerStats(),
    });
    try {
      for (const each of configs) await listeners.#open(each);
    } catch (error) {
      void listeners.close();
      throw error;
    }
    const wanted = Math.max(...configs.map(({ connectionsMax }) => connectionsMax));
    if (socketsMax < wanted) {
      const fields = { connections: socketsMax, maxConnections: wanted, descriptors };
      broker.log.warn('the limit of file descriptors allows fewer connections', fields);
    }
    return listeners;
  }

  get all(): readonly Listener[] {
    return this.#all;
  }

  async #open(config: ListenerConfig): Promise<Listener> {
    const listener = await Listener.open(config, this.#parts);
    this.#all.push(listener);
    return listener;
  }

  /**
   * Closes, changes and opens listeners, and reads certificates again. A listener whose certificate
   * or access files are wrong stays unchanged in both, and one that can't be opened is left out; the
   * log names each.
   * @param renewAccess changes who may connect; receives the listeners whose certificates are wrong,
   *   and resolves with all listeners that stay unchanged
   * @returns the problems with certificates and ports
   */
  async reload(
    configs: readonly ListenerConfig[],
    renewAccess: (kept: ReadonlySet<string>) => Promise<ReadonlySet<string>>,
  ): Promise<readonly string[]> {
    const { log } = this.#parts.broker;
    const problems: Problems = new Map();
    const changes = new Map<string, () => void>();
    const wrong = new Set<string>();
    for (const next of configs) {
      const known = this.#all.find((listener) => listener.config.id === next.id);
      // A bundle of authorities takes tens of milliseconds: clients are served in between.
      await nextTurn();
      try {
        if (known !== undefined) changes.set(next.id, known.prepare(next));
      } catch (error) {
        wrong.add(next.id);
        this.#note(problems, KEPT, next, error);
      }
    }
    const kept = await renewAccess(wrong);
    // Without a pause: no client connects by an old listener under new permissions.
    for (const [id, change] of changes) if (!kept.has(id)) change();
    this.#closeAllBut(configs);
    for (const next of configs) {
      if (wrong.has(next.id) || changes.has(next.id)) continue;
      try {
        const { protocol, local } = await this.#open(next);
        log.info('listener opened', { protocol, address: formatEndpoint(local) });
      } catch (error) {
        this.#note(problems, NOT_OPENED, next, error);
      }
    }
    for (const { event, text, places } of problems.values()) {
      log.error(event, { listeners: places.join(', '), problem: text });
    }
    this.#noteFiles(wrong.size > 0, performance.now());
    return [...problems.values()].map(({ text }) => text);
  }

  /** The lines about what is wrong name the problem; this one says that it is over. */
  #noteFiles(isWrong: boolean, now: number): void {
    if (isWrong) {
      this.#faults.report(FAULT_FILES, now);
      return;
    }
    const lastedMs = this.#faults.resolve(FAULT_FILES, now);
    if (lastedMs === undefined) return;
    this.#parts.broker.log.info('certificates and keys are valid again', { lastedMs });
  }

  #note(problems: Problems, event: string, { place }: ListenerConfig, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const key = `${event}: ${text}`;
    problems.set(key, { event, text, places: [...(problems.get(key)?.places ?? []), place] });
    this.#parts.stats.failedReloads += 1;
  }

  #closeAllBut(configs: readonly ListenerConfig[]): void {
    const ids = new Set(configs.map(({ id }) => id));
    const removed = this.#all.filter((listener) => !ids.has(listener.config.id));
    this.#all = this.#all.filter((listener) => !removed.includes(listener));
    for (const listener of removed) {
      void listener.close();
      this.#parts.broker.log.info('listener closed', { address: formatEndpoint(listener.local) });
    }
  }

  /** The system does not report that it could not accept a connection for want of a descriptor. */
  #check(now: number): void {
    const { log } = this.#parts.broker;
    if (hasFreeDescriptor()) {
      const lastedMs = this.#faults.resolve(FAULT_DESCRIPTORS, now);
      if (lastedMs !== undefined) log.info('file descriptors are free again', { lastedMs });
    } else {
      this.#descriptorShortages += 1;
      if (this.#faults.report(FAULT_DESCRIPTORS, now)) {
        log.warn('no file descriptor is left: new connections are ended at once', {
          connections: this.#parts.socketLimit.served,
        });
      }
    }
    for (const listener of this.#all) listener.checkLimits(now);
  }

  metrics(): ValuesOf<'listeners'> {
    const { stats, socketLimit, preConnectLimit } = this.#parts;
    return {
      ...stats,
      connections: socketLimit.served,
      refused: preConnectLimit.refused,
      descriptorShortages: this.#descriptorShortages,
    };
  }

  /** Stops accepting. @returns when all open connections have ended */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#all.map((listener) => listener.close()));
  }
}
