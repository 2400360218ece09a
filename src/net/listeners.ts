// All listeners of a node: opened together or not at all, then changed, added and closed as the
// configuration says, and closed together.

import type { Broker } from '../broker/broker.ts';
import { formatEndpoint } from '../shared/endpoint.ts';
import { Listener, ListenerCounters, type ListenerOptions } from './listener.ts';

const KEPT = 'a file was not taken over, the last good one stays in force';
const NOT_OPENED = 'a listener could not be opened';

export class Listeners {
  #all: Listener[] = [];
  readonly #broker: Broker;
  readonly #counters = new ListenerCounters();

  private constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Rejects as Listener.open does. */
  static async open(options: readonly ListenerOptions[], broker: Broker): Promise<Listeners> {
    const listeners = new Listeners(broker);
    try {
      for (const each of options) await listeners.#open(each);
    } catch (error) {
      void listeners.close();
      throw error;
    }
    return listeners;
  }

  get all(): readonly Listener[] {
    return this.#all;
  }

  async #open(options: ListenerOptions): Promise<Listener> {
    const listener = await Listener.open(options, this.#broker, this.#counters);
    this.#all.push(listener);
    return listener;
  }

  /**
   * Closes, changes and opens listeners, and reads certificates again. One whose certificate is wrong
   * stays as it was, and one that can't be opened is left out; both are logged.
   * @returns how many things are wrong
   */
  async reload(options: readonly ListenerOptions[]): Promise<number> {
    const { log } = this.#broker;
    const ids = new Set(options.map(({ id }) => id));
    const gone = this.#all.filter((listener) => !ids.has(listener.options.id));
    this.#all = this.#all.filter((listener) => !gone.includes(listener));
    for (const listener of gone) {
      void listener.close();
      log.info('listener closed', { address: formatEndpoint(listener.local) });
    }
    // What several share is told once.
    const faults = new Map<string, { event: string; places: string[] }>();
    for (const next of options) {
      const known = this.#all.find((listener) => listener.options.id === next.id);
      try {
        if (known !== undefined) {
          known.use(next);
          continue;
        }
        const { protocol, local } = await this.#open(next);
        log.info('listener opened', { protocol, address: formatEndpoint(local) });
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        const event = known === undefined ? NOT_OPENED : KEPT;
        faults.set(problem, {
          event,
          places: [...(faults.get(problem)?.places ?? []), next.place],
        });
        this.#counters.failedReloads += 1;
      }
    }
    for (const [problem, { event, places }] of faults) {
      log.error(event, { listeners: places.join(', '), problem });
    }
    return faults.size;
  }

  /** What stands under $SYS/broker. */
  sysValues(): Record<string, string> {
    const { dropped, failedHandshakes, failedReloads, arrivals } = this.#counters;
    return {
      'listeners/dropped': String(dropped),
      'listeners/failed handshakes': String(failedHandshakes),
      'listeners/failed reloads': String(failedReloads),
      'listeners/refused': String(arrivals.refused),
    };
  }

  /** Takes no more connections. @returns when those that are open have ended */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((listener) => listener.close()));
  }
}
