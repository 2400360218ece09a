// The log lines about a machine that other boxes can't address, because its interfaces have link-local IPv6
// addresses (fe80::) alone. Such an address means nothing on another interface, so links.ts leaves it out.
// Invariant: silent on a machine without any network, and while one interface has another address.

import { networkInterfaces } from 'node:os';
import { isLinkLocal } from '../../shared/ip-address.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';

const HINT = 'give one of them an IPv4 address, or another IPv6 address';

export class LinkLocalLog {
  readonly #log: Logger;
  readonly #what: string;
  readonly #list: typeof networkInterfaces;
  readonly #faults = new OngoingFaults();

  /** @param what does not work then, as the beginning of a log line */
  constructor(log: Logger, what: string, list: typeof networkInterfaces = networkInterfaces) {
    this.#log = log;
    this.#what = what;
    this.#list = list;
  }

  /** To be called with each look at the interfaces. @param links that are usable */
  review(links: number, now: number): void {
    const names = links > 0 ? [] : this.#linkLocalNames();
    if (names.length > 0) {
      if (!this.#faults.report(this.#what, now)) return;
      const event = `${this.#what}: the interfaces have link-local addresses (fe80::) alone`;
      this.#log.warn(event, { interfaces: names.join(' '), hint: HINT });
    } else if (links > 0) {
      const lastedMs = this.#faults.resolve(this.#what, now);
      if (lastedMs !== undefined)
        this.#log.info('an interface has another address than fe80:: again', { lastedMs });
    }
  }

  #linkLocalNames(): string[] {
    try {
      const interfaces = Object.entries(this.#list());
      return interfaces.flatMap(([name, all = []]) =>
        all.some(({ internal, address }) => !internal && isLinkLocal(address)) ? [name] : [],
      );
    } catch {
      // No file descriptor is left. The next time is soon.
      return [];
    }
  }
}
