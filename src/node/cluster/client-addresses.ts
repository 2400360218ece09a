// The addresses of -address on this node, each of which is held by one node of the cluster on its own.

import type { Config } from '../../config/config.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import type { Logger } from '../../shared/logger.ts';
import type { BridgePlaces } from '../bridges/bridge-places.ts';
import type { UsedAddress } from '../status/node-troubles.ts';
import { ClientAddress } from './client-address.ts';

/** Where no listener has a port of its own, any port will do: a refusal is an answer. */
const MQTT_PORT = 1883;

export class ClientAddresses {
  readonly #all: readonly ClientAddress[];

  /** @param isAlive whether a node is online and not suspect */
  constructor(
    { clientAddresses, addressHook: hook, listeners }: Config,
    places: BridgePlaces,
    log: Logger,
    isAlive: (nodeName: string) => boolean,
  ) {
    const port = listeners.find((one) => one.port > 0)?.port ?? MQTT_PORT;
    this.#all = clientAddresses.map(
      (one) => new ClientAddress({ ...one, hook, port, places, log, isAlive }),
    );
  }

  /** Those that this node holds. */
  get held(): readonly string[] {
    return this.#all.flatMap((one) => one.held ?? []);
  }

  /** The first that a host outside the cluster uses. */
  get used(): UsedAddress | undefined {
    return this.#all.find((one) => one.used !== undefined)?.used;
  }

  metrics(): ValuesOf<'address'> {
    const all = this.#all.map((one) => one.metrics());
    return {
      held: all.reduce((sum, { held }) => sum + held, 0),
      failures: all.reduce((sum, { failures }) => sum + failures, 0),
    };
  }

  /** The state of a member has changed. */
  review(): void {
    for (const one of this.#all) one.review();
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.close()));
  }
}
