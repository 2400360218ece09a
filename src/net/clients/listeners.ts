// All listeners of a node: opened together or not at all, then changed, added and closed as the
// configuration says, and closed together.

import type { Broker } from '../../broker/broker.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { formatEndpoint } from '../../shared/endpoint.ts';
import type { ListenerConfig } from '../../shared/listener-config.ts';
import { Listener, ListenerCounters } from './listener.ts';

const KEPT = 'file not reloaded: its last valid version stays in force';
const NOT_OPENED = 'a listener could not be opened';

interface Fault {
  readonly event: string;
  readonly problem: string;
  readonly places: readonly string[];
}

/** What several listeners share is told once. */
type Faults = Map<string, Fault>;

export class Listeners {
  #all: Listener[] = [];
  readonly #broker: Broker;
  readonly #counters = new ListenerCounters();

  private constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Rejects as Listener.open does. */
  static async open(configs: readonly ListenerConfig[], broker: Broker): Promise<Listeners> {
    const listeners = new Listeners(broker);
    try {
      for (const each of configs) await listeners.#open(each);
    } catch (error) {
      void listeners.close();
      throw error;
    }
    return listeners;
  }

  get all(): readonly Listener[] {
    return this.#all;
  }

  async #open(config: ListenerConfig): Promise<Listener> {
    const listener = await Listener.open(config, this.#broker, this.#counters);
    this.#all.push(listener);
    return listener;
  }

  /**
   * Closes, changes and opens listeners, and reads certificates again. One whose certificate or
   * access is wrong stays as it was in both, and one that can't be opened is left out; all is logged.
   * @param renewAccess says who may come in from then on; given are the listeners whose certificates
   * are wrong, and it resolves with all that stay as they were
   * @returns how many things are wrong with certificates and ports
   */
  async reload(
    configs: readonly ListenerConfig[],
    renewAccess: (kept: ReadonlySet<string>) => Promise<ReadonlySet<string>>,
  ): Promise<number> {
    const { log } = this.#broker;
    const faults: Faults = new Map();
    const changes = new Map<string, () => void>();
    const wrong = new Set<string>();
    for (const next of configs) {
      const known = this.#all.find((listener) => listener.config.id === next.id);
      try {
        if (known !== undefined) changes.set(next.id, known.prepare(next));
      } catch (error) {
        wrong.add(next.id);
        this.#note(faults, KEPT, next, error);
      }
    }
    const kept = await renewAccess(wrong);
    // Before anything is waited for: nobody comes in by an old way under new rights.
    for (const [id, change] of changes) if (!kept.has(id)) change();
    this.#closeAllBut(configs);
    for (const next of configs) {
      if (wrong.has(next.id) || changes.has(next.id)) continue;
      try {
        const { protocol, local } = await this.#open(next);
        log.info('listener opened', { protocol, address: formatEndpoint(local) });
      } catch (error) {
        this.#note(faults, NOT_OPENED, next, error);
      }
    }
    for (const { event, problem, places } of faults.values()) {
      log.error(event, { listeners: places.join(', '), problem });
    }
    return faults.size;
  }

  #note(faults: Faults, event: string, { place }: ListenerConfig, error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    const key = `${event}: ${problem}`;
    faults.set(key, { event, problem, places: [...(faults.get(key)?.places ?? []), place] });
    this.#counters.failedReloads += 1;
  }

  #closeAllBut(configs: readonly ListenerConfig[]): void {
    const ids = new Set(configs.map(({ id }) => id));
    const gone = this.#all.filter((listener) => !ids.has(listener.config.id));
    this.#all = this.#all.filter((listener) => !gone.includes(listener));
    for (const listener of gone) {
      void listener.close();
      this.#broker.log.info('listener closed', { address: formatEndpoint(listener.local) });
    }
  }

  metrics(): ValuesOf<'listeners'> {
    const { dropped, failedHandshakes, failedReloads, arrivals } = this.#counters;
    return { dropped, failedHandshakes, failedReloads, refused: arrivals.refused };
  }

  /** Takes no more connections. @returns when those that are open have ended */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((listener) => listener.close()));
  }
}
