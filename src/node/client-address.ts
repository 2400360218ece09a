// Who holds the address of the clients (-address): of all nodes that have the same one, the one that has been
// in the cluster for the longest; so the address moves when its holder dies or leaves, and at no other
// time. The choice is that of the bridges. A node that can not take it leaves it to the others for a while.

import type { Config } from '../config/config.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { FloatingAddress } from '../net/cluster/floating-address.ts';
import type { Logger } from '../shared/logger.ts';
import type { BridgePlaces } from './bridge-places.ts';

/** Boxes that are switched on together find each other first. */
const START_MS = 3000;
const RETRY_MS = 30_000;

export class ClientAddress {
  readonly #places: BridgePlaces;
  readonly #name: string;
  readonly #address: FloatingAddress;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { address, prefixBits }: NonNullable<Config['clientAddress']>,
    hook: string | undefined,
    places: BridgePlaces,
    log: Logger,
  ) {
    this.#places = places;
    this.#name = `address ${address}/${prefixBits}`;
    const onFailed = (): void => this.#failed();
    this.#address = new FloatingAddress({ address, prefixBits, hook, log, onFailed });
    this.#offerIn(START_MS);
  }

  metrics(): ValuesOf<'address'> {
    return { held: this.#address.isHeld ? 1 : 0, failures: this.#failures };
  }

  /** Releases the address; another node takes it once this one has left. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#address.close();
  }

  /** To the nodes it is a bridge without messages. */
  #offer(): void {
    this.#places.add({
      name: this.#name,
      lastId: 0,
      oldestId: 0,
      dropSent: () => 0,
      run: (isHere) => this.#address.hold(isHere),
    });
  }

  #failed(): void {
    this.#failures += 1;
    this.#places.remove(this.#name);
    this.#offerIn(RETRY_MS);
  }

  #offerIn(ms: number): void {
    this.#timer = setTimeout(() => this.#offer(), ms);
    this.#timer.unref();
  }
}
