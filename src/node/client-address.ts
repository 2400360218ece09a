// Who holds the address of the clients (-address): of all nodes that have the same one, the one that has been
// in the cluster for the longest; so the address moves when its holder dies or leaves, and at no other
// time. The choice is that of the bridges. A node that can not take it leaves it to the others for a while; one
// whose predecessors are suspect and silent takes it before they are offline.

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { isAnswering } from '../net/cluster/address-probe.ts';
import { FloatingAddress } from '../net/cluster/floating-address.ts';
import type { Logger } from '../shared/logger.ts';
import type { BridgePlaces } from './bridge-places.ts';
import { HolderWatch } from './holder-watch.ts';

/** Boxes that are switched on together find each other first. */
const START_MS = 3000;
const RETRY_MS = 30_000;
/** For the answer to one SYN on one network, and until the next one. */
const PROBE_MS = 300;

export interface ClientAddressOptions {
  readonly address: string;
  readonly prefixBits: number;
  readonly hook: string | undefined;
  /** Of MQTT; any answer counts, so that another box may listen elsewhere. */
  readonly port: number;
  readonly places: BridgePlaces;
  readonly log: Logger;
  /** Whether this node is online and not suspect. */
  isAlive(nodeName: string): boolean;
}

export class ClientAddress {
  readonly #options: ClientAddressOptions;
  readonly #name: string;
  readonly #address: FloatingAddress;
  readonly #watch = new HolderWatch();
  #isProbing = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClientAddressOptions) {
    const { address, prefixBits, hook, log } = options;
    this.#options = options;
    this.#name = `address ${address}/${prefixBits}`;
    const onFailed = (): void => this.#failed();
    this.#address = new FloatingAddress({ address, prefixBits, hook, log, onFailed });
    this.#offerIn(START_MS);
  }

  /** Undefined while another node holds it. */
  get held(): string | undefined {
    return this.#address.isHeld ? this.#options.address : undefined;
  }

  metrics(): ValuesOf<'address'> {
    return { held: this.#address.isHeld ? 1 : 0, failures: this.#failures };
  }

  /** The state of a member has changed. */
  review(): void {
    const { places, isAlive } = this.#options;
    const before = places.nodesBefore(this.#name);
    this.#watch.setSuspect(before.length > 0 && !before.some(isAlive), performance.now());
    places.choose();
    this.#settle();
  }

  /** Releases the address; another node takes it once this one has left. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#watch.setSuspect(false, performance.now());
    this.#choose(false);
    await this.#address.close();
  }

  #placed(isHere: boolean): void {
    const { address, places, log } = this.#options;
    const [holder] = places.nodesBefore(this.#name);
    if (!isHere) log.info('another node holds the address of the clients', { address, holder });
    this.#choose(isHere);
  }

  #choose(isHere: boolean): void {
    this.#watch.choose(isHere, performance.now());
    this.#settle();
  }

  #settle(): void {
    const now = performance.now();
    this.#address.hold(this.#watch.mayHold(now));
    if (this.#watch.isWatching(now) && !this.#isProbing) void this.#probe();
  }

  async #probe(): Promise<void> {
    const { address, port, places, log } = this.#options;
    this.#isProbing = true;
    while (this.#watch.isWatching(performance.now())) {
      const startedAt = performance.now();
      const isAnswered = await isAnswering(address, port, PROBE_MS);
      const now = performance.now();
      this.#watch.probed(isAnswered, now);
      const waitMs = startedAt + PROBE_MS - now;
      if (this.#watch.isWatching(now) && waitMs > 0) await delay(waitMs, undefined, { ref: false });
    }
    this.#isProbing = false;
    if (this.#watch.isLost) {
      const holder = places.nodesBefore(this.#name).join(', ');
      log.info('the address of the clients is silent, and its holder suspect', { address, holder });
      places.choose();
    }
    this.#settle();
  }

  /** To the nodes it is a bridge without messages. */
  #offer(): void {
    this.#options.places.add({
      name: this.#name,
      lastId: 0,
      oldestId: 0,
      dropSent: () => 0,
      run: (isHere) => this.#placed(isHere),
      takesFrom: (nodeName) => this.#watch.isLost && !this.#options.isAlive(nodeName),
      ranElsewhere: () => this.#address.announce(),
    });
  }

  #failed(): void {
    this.#failures += 1;
    this.#options.places.remove(this.#name);
    this.#offerIn(RETRY_MS);
  }

  #offerIn(ms: number): void {
    this.#timer = setTimeout(() => this.#offer(), ms);
    this.#timer.unref();
  }
}
