// Who holds the address of the clients (-address): of all nodes that have the same one, the one that has been
// in the cluster for the longest; so the address moves when its holder dies or leaves, and at no other
// time. The choice is that of the bridges. A node that cannot take it leaves it to the others for a while; one
// whose predecessors are suspect and silent takes it before they are offline. While a host outside the
// cluster answers at the address, the node whose turn it is does not take it, and says so.

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { forgetNeighbour, isAnswering, neighbourAt } from '../../net/cluster/address-probe.ts';
import { FloatingAddress } from '../../net/cluster/floating-address.ts';
import { listLinks } from '../../net/cluster/links.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import type { BridgePlaces } from '../bridges/bridge-places.ts';
import type { UsedAddress } from '../status/node-troubles.ts';
import { wallTime } from '../wall-time.ts';
import { HolderWatch } from './holder-watch.ts';

/** Boxes that are switched on together find each other first. */
const START_MS = 3000;
const RETRY_MS = 30_000;
/** How often the holder asks whether another host has the address too. */
const LOOK_MS = 3000;
/** Answers in a row: after a partition two nodes hold the address for a moment. */
const ANSWERS_MIN = 3;
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
  readonly #watch: HolderWatch;
  readonly #faults = new OngoingFaults();
  #isProbing = false;
  #failures = 0;
  #used: UsedAddress | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #looks: NodeJS.Timeout;
  /** Of another host in a row, while this node holds the address. */
  #answers = 0;

  constructor(options: ClientAddressOptions) {
    const { address, prefixBits, hook, log } = options;
    this.#options = options;
    this.#name = `address ${address}/${prefixBits}`;
    this.#watch = new HolderWatch(hook !== undefined);
    const onFailed = (): void => this.#failed();
    this.#address = new FloatingAddress({ address, prefixBits, hook, log, onFailed });
    this.#offerIn(START_MS);
    this.#looks = setInterval(() => void this.#look(), LOOK_MS);
    this.#looks.unref();
  }

  /** Undefined while another node holds it. */
  get held(): string | undefined {
    return this.#address.isHeld ? this.#options.address : undefined;
  }

  /** Undefined unless a host outside the cluster has it, while it is this node's turn. */
  get used(): UsedAddress | undefined {
    return this.#used;
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
    clearInterval(this.#looks);
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
    clearTimeout(this.#timer);
    this.#watch.choose(isHere, performance.now());
    if (!isHere) {
      this.#used = undefined;
      this.#faults.forget(this.#options.address);
    }
    this.#settle();
  }

  #settle(): void {
    this.#address.hold(this.#watch.mayHold);
    if (this.#watch.isWatching && !this.#isProbing) void this.#probe();
  }

  async #probe(): Promise<void> {
    const { address, places, log } = this.#options;
    this.#isProbing = true;
    while (this.#watch.isWatching) {
      const startedAt = performance.now();
      const isAnswered = await this.#isAnswered();
      const now = performance.now();
      this.#watch.probed(isAnswered, now);
      const waitMs = startedAt + PROBE_MS - now;
      if (this.#watch.isWatching && waitMs > 0) await delay(waitMs, undefined, { ref: false });
    }
    this.#isProbing = false;
    if (this.#watch.isLost) {
      const holder = places.nodesBefore(this.#name).join(', ');
      log.info('the address of the clients is silent, and its holder suspect', { address, holder });
      places.choose();
    }
    if (this.#watch.isUsed) await this.#refuse();
    else if (this.#watch.mayHold) this.#foundFree();
    this.#settle();
  }

  /** The hardware address counts once this node comes first: before, the address is that of another node. */
  async #isAnswered(): Promise<boolean> {
    const { address, port, hook } = this.#options;
    // What this machine has itself is left of the run before, or refused when it is to be taken.
    if (listLinks(undefined).some((link) => link.address === address)) return false;
    if (hook !== undefined || !this.#watch.isChosen) return isAnswering(address, port, PROBE_MS);
    await forgetNeighbour(address);
    if (await isAnswering(address, port, PROBE_MS)) return true;
    return (await neighbourAt(address)) !== undefined;
  }

  /** A host that takes the address later: this node keeps it, and says so. */
  async #look(): Promise<void> {
    if (!this.#address.isHeld) return;
    const hardware = await this.#address.otherHost();
    this.#answers = hardware === undefined ? 0 : this.#answers + 1;
    if (this.#answers === ANSWERS_MIN) this.#noteUsed(hardware, true);
    else if (this.#used?.isHeld === true && hardware === undefined) this.#foundFree();
  }

  async #refuse(): Promise<void> {
    const hardware = await neighbourAt(this.#options.address);
    if (!this.#watch.isUsed) return;
    this.#noteUsed(hardware, false);
    this.#timer = setTimeout(() => this.#choose(true), RETRY_MS);
    this.#timer.unref();
  }

  #noteUsed(hardware: string | undefined, isHeld: boolean): void {
    const { address, log } = this.#options;
    const now = performance.now();
    this.#failures += 1;
    this.#used = { address, hardware, isHeld, since: this.#used?.since ?? wallTime(now) };
    if (!this.#faults.report(address, now)) return;
    const hint =
      'turn that host off, or choose a free -address; if it is a box of the site: shoal doctor';
    log.warn('the address of the clients is used by another host', { address, hardware, hint });
  }

  #foundFree(): void {
    const { address, log } = this.#options;
    this.#used = undefined;
    const lastedMs = this.#faults.resolve(address, performance.now());
    if (lastedMs === undefined) return;
    log.info('the address of the clients is free again', { address, lastedMs });
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
    this.#choose(false);
    this.#options.places.remove(this.#name);
    this.#offerIn(RETRY_MS);
  }

  #offerIn(ms: number): void {
    this.#timer = setTimeout(() => this.#offer(), ms);
    this.#timer.unref();
  }
}
