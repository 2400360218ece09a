// All listeners of a node: opened together or not at all, renewed and closed together.

import type { Broker } from '../broker/broker.ts';
import type { Logger } from '../shared/logger.ts';
import { Listener, type ListenerOptions } from './listener.ts';

export class Listeners {
  readonly all: readonly Listener[];
  readonly #log: Logger;

  private constructor(all: readonly Listener[], log: Logger) {
    this.all = all;
    this.#log = log;
  }

  /** Rejects as Listener.open does. */
  static async open(options: readonly ListenerOptions[], broker: Broker): Promise<Listeners> {
    const all: Listener[] = [];
    try {
      for (const each of options) all.push(await Listener.open(each, broker));
    } catch (error) {
      for (const listener of all) void listener.close();
      throw error;
    }
    return new Listeners(all, broker.log);
  }

  /**
   * Takes over the limits and reads certificates again. Where one is wrong the last good one stays,
   * and that is logged. Which listeners there are does not change.
   * @returns how many files are wrong
   */
  reload(options: readonly ListenerOptions[]): number {
    const places = new Map<string, string[]>();
    for (const listener of this.all) {
      const { place, protocol, bind, port } = listener.options;
      const problem = listener.reload(
        options.find((next) => {
          return next.protocol === protocol && next.bind === bind && next.port === port;
        }),
      );
      if (problem !== undefined) places.set(problem, [...(places.get(problem) ?? []), place]);
    }
    for (const [problem, of] of places) {
      const listeners = of.join(', ');
      this.#log.error('a file was not taken over, the last good one stays in force', {
        listeners,
        problem,
      });
    }
    return places.size;
  }

  /** What stands under $SYS/broker. */
  sysValues(): Record<string, string> {
    const sum = (name: keyof Listener['counters']): string =>
      String(this.all.reduce((total, { counters }) => total + counters[name], 0));
    return {
      'listeners/dropped': sum('dropped'),
      'listeners/failed handshakes': sum('failedHandshakes'),
      'listeners/failed reloads': sum('failedReloads'),
    };
  }

  /** Takes no more connections. @returns when those that are open have ended */
  async close(): Promise<void> {
    await Promise.all(this.all.map((listener) => listener.close()));
  }
}
