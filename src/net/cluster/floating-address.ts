// One address for all clients: keeps it on this machine while this node is the one that holds it. Decides
// nothing: the caller says who holds it.
//
// The address has a lifetime of some seconds, which this node renews: when the process dies in any way, the
// kernel drops the address before another node takes it. A process that was stopped for longer has lost the
// address, and lets the others speak before it takes it again. Invariants: nothing throws; the last order counts.

import { performance } from 'node:perf_hooks';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { InterfaceAddress } from './interface-address.ts';
import { run } from './program.ts';

export interface FloatingAddressOptions {
  /** IPv4 or IPv6 literal, in its normal form. */
  readonly address: string;
  readonly prefixBits: number;
  /** A program that takes and releases the address in place of `ip`. */
  readonly hook: string | undefined;
  readonly log: Logger;
  /** This node can't take it: another one should. */
  onFailed(): void;
}

export const RENEW_MS = 1000;
/** The kernel counts whole seconds. A killed node loses the address before it is offline. */
export const LIFETIME_SECONDS = 3;
/** With the next renewals: a switch or a client may miss one. RFC 4861 10 has the same number. */
const ANNOUNCEMENTS = 3;

export class FloatingAddress {
  readonly #options: FloatingAddressOptions;
  readonly #interface: InterfaceAddress;
  readonly #faults = new OngoingFaults();
  readonly #text: string;
  #isWanted = false;
  #isHeld = false;
  #renewedAt = 0;
  #announcements = 0;
  #timer: NodeJS.Timeout | undefined;
  /** One program at a time, in order. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: FloatingAddressOptions) {
    const { address, prefixBits } = options;
    this.#options = options;
    this.#interface = new InterfaceAddress(address, prefixBits);
    this.#text = `${address}/${prefixBits}`;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Takes the address, or releases it. */
  hold(isHere: boolean): void {
    if (isHere === this.#isWanted) return;
    this.#isWanted = isHere;
    this.#announcements = ANNOUNCEMENTS;
    this.#settle();
  }

  /** Another node has announced the address as its own: the neighbours must learn anew where it is. */
  announce(): void {
    this.#announcements = ANNOUNCEMENTS;
  }

  /** As InterfaceAddress.otherHost; also undefined while the address is not here, and where a hook takes it. */
  async otherHost(): Promise<string | undefined> {
    const isAsked = this.#isHeld && this.#options.hook === undefined;
    const hardware = isAsked ? await this.#interface.otherHost().catch(() => undefined) : undefined;
    return this.#isHeld ? hardware : undefined;
  }

  /** Releases it. May be called twice. */
  async close(): Promise<void> {
    this.hold(false);
    clearTimeout(this.#timer);
    await this.#work;
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#work = this.#work.then(() => this.#apply()).catch((error) => this.#failed(error));
    if (!this.#isWanted) return;
    this.#timer = setTimeout(() => this.#settle(), RENEW_MS);
    this.#timer.unref();
  }

  async #apply(): Promise<void> {
    const { address, hook, log } = this.#options;
    if (this.#isWanted === this.#isHeld && (hook !== undefined || !this.#isHeld)) return;
    if (!this.#isWanted) {
      this.#isHeld = false;
      log.info('this node no longer holds the address of the clients', { address });
      await (hook === undefined ? this.#interface.remove() : run(hook, ['release', this.#text]));
      return;
    }
    if (hook === undefined && this.#hasLapsed()) return;
    await (hook === undefined ? this.#put() : run(hook, ['take', this.#text]));
    if (this.#faults.resolve(address, performance.now()) !== undefined || !this.#isHeld) {
      log.info('this node holds the address of the clients', { address });
    }
    this.#isHeld = true;
  }

  async #put(): Promise<void> {
    const isAnnounced = this.#announcements > 0;
    const isHeard = await this.#interface.put(LIFETIME_SECONDS, isAnnounced);
    this.#renewedAt = performance.now();
    if (isAnnounced) this.#announcements -= 1;
    if (isHeard || this.#isHeld) return;
    const hint = '/proc/sys/net/ipv6 is read-only: clients may need ten seconds to find this box';
    this.#options.log.warn('the address of the clients is not announced', {
      address: this.#options.address,
      hint,
    });
  }

  /** The next renewal takes it again, unless another node has it by then. */
  #hasLapsed(): boolean {
    const { address, log } = this.#options;
    const elapsedMs = Math.round(performance.now() - this.#renewedAt);
    if (!this.#isHeld || elapsedMs < LIFETIME_SECONDS * 1000) return false;
    this.#isHeld = false;
    this.#announcements = ANNOUNCEMENTS;
    log.warn('the address of the clients was not renewed in time', { address, elapsedMs });
    return true;
  }

  #failed(error: unknown): void {
    const { address, log, onFailed, hook } = this.#options;
    // The lifetime of what is left ends by itself.
    this.#isHeld = false;
    if (!this.#isWanted) return;
    if (this.#faults.report(address, performance.now())) {
      const reason = describeSystemError(error, 'read').trim();
      const hint =
        hook === undefined
          ? 'it needs Linux, ip and CAP_NET_ADMIN (root, or AmbientCapabilities= in the unit); else -address-hook'
          : 'see what -address-hook does';
      log.warn('the address of the clients cannot be taken', { address, reason, hint });
    }
    this.hold(false);
    onFailed();
  }
}
