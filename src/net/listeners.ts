// All listeners of a node: opened together or not at all, renewed and closed together.

import type { Broker } from '../broker/broker.ts';
import { Listener, type ListenerOptions } from './listener.ts';

export class Listeners {
  readonly all: readonly Listener[];

  private constructor(all: readonly Listener[]) {
    this.all = all;
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
    return new Listeners(all);
  }

  /**
   * Takes over the limits and reads certificates again. Where one is wrong the last good one stays,
   * and that is logged. Which listeners there are does not change.
   */
  reload(options: readonly ListenerOptions[]): void {
    for (const listener of this.all) {
      const { protocol, bind, port } = listener.options;
      listener.reload(
        options.find((next) => {
          return next.protocol === protocol && next.bind === bind && next.port === port;
        }),
      );
    }
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
