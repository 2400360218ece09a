// Boxes on the network whose beacons this node can't open: they have another token or another cluster
// name. Each is reported when it appears, once an hour while it stays, and when it is over. Nothing answers
// them. Invariant: bounded, in memory and in lines, also in a flood of forged addresses.

import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';

export interface BeaconStranger {
  readonly address: string;
  /** Monotonic, ms. */
  readonly since: number;
  readonly lastAt: number;
}

const CALLING_STRANGERS_MAX = 16;
const REPEAT_MS = 3_600_000;
/** A box calls every few seconds at least. */
const GONE_MS = 60_000;

export class BeaconStrangers {
  readonly #log: Logger;
  readonly #faults = new OngoingFaults(REPEAT_MS, CALLING_STRANGERS_MAX);
  readonly #strangers = new Map<string, BeaconStranger>();

  constructor(log: Logger) {
    this.#log = log;
  }

  note(now: number, address: string): void {
    const since = this.#strangers.get(address)?.since ?? now;
    if (since === now && this.#strangers.size >= CALLING_STRANGERS_MAX) return;
    this.#strangers.set(address, { address, since, lastAt: now });
    if (!this.#faults.report(address, now)) return;
    this.#log.warn('a box on this network uses another token or cluster name', { address });
  }

  /** A beacon of this address was opened. */
  noteFriend(now: number, address: string): void {
    this.#strangers.delete(address);
    if (this.#faults.resolve(address, now) === undefined) return;
    this.#log.info('a box on this network now has the token and cluster name of this node', {
      address,
    });
  }

  /** Forgets those that are silent. */
  advance(now: number): void {
    for (const { address, lastAt } of this.#strangers.values()) {
      if (now - lastAt < GONE_MS) continue;
      this.#strangers.delete(address);
      if (this.#faults.resolve(address, now) === undefined) continue;
      this.#log.info('a box with another token or cluster name is silent', { address });
    }
  }

  get all(): readonly BeaconStranger[] {
    return [...this.#strangers.values()];
  }
}
