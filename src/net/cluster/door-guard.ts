// Who may begin a handshake at the door for new boxes: few at a time and few a second of each address, so that strangers
// cost little and do not keep the invited box out. Knows nothing of what is said there.
// Invariants: never more than BOX_CONNECTIONS_MAX connections; a connection that is not admitted is closed; each time
// that begins with onBusy ends with onFree.

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { plainAddress } from '../../shared/endpoint.ts';
import { sourceOf } from '../../shared/ip-address.ts';
import { mostCommon } from '../../shared/most-common.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';

const BOX_CONNECTIONS_MAX = 16;
/** New connections in a second: of one address, an IPv6 /64 as one; of all. */
const ADDRESS_RATE_MAX = 20;
const TOTAL_RATE_MAX = 200;
const RATE_MS = 1000;
/** After this time without a connection that it closed, all is well again. */
const CALM_MS = 5000;
const FAULT = 'busy';

export interface DoorGuardPort {
  /** It closes connections, the last one of this address; now, and each minute while it goes on. */
  onBusy(address: string | undefined): void;
  onFree(lastedMs: number): void;
}

export class DoorGuard {
  /** Closed because too many were open, and because too many came in a second. */
  readonly counters = { crowded: 0, overRate: 0 };
  /** With the source of each, the oldest first. */
  readonly #open = new Map<Socket, string>();
  /** Connections since #since, by source. */
  readonly #arrivals = new Map<string, number>();
  #total = 0;
  #since = Number.NEGATIVE_INFINITY;
  readonly #port: DoorGuardPort;
  readonly #faults = new OngoingFaults();
  #calm: NodeJS.Timeout | undefined;

  constructor(port: DoorGuardPort) {
    this.#port = port;
  }

  /** @returns false: the connection was closed */
  admit(socket: Socket): boolean {
    const source = sourceOf(plainAddress(socket.remoteAddress ?? ''));
    if (!this.#isWithinRate(source)) {
      this.counters.overRate += 1;
      this.#close(socket);
      return false;
    }
    if (this.#open.size >= BOX_CONNECTIONS_MAX) this.#closeOldest();
    this.#open.set(socket, source);
    socket.once('close', () => this.#open.delete(socket));
    return true;
  }

  /** A box is through with its handshake in milliseconds: the oldest one of the busiest address is none. */
  #closeOldest(): void {
    const busiest = mostCommon(this.#open.values());
    const [victim] = [...this.#open].find(([, source]) => source === busiest) ?? [];
    if (victim === undefined) return;
    this.counters.crowded += 1;
    this.#open.delete(victim);
    this.#close(victim);
  }

  #close(socket: Socket): void {
    const from = socket.remoteAddress;
    socket.destroy();
    if (this.#faults.report(FAULT, performance.now())) this.#port.onBusy(from);
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => this.end(), CALM_MS).unref();
  }

  /** No connection comes any more. */
  end(): void {
    clearTimeout(this.#calm);
    const lastedMs = this.#faults.resolve(FAULT, performance.now());
    if (lastedMs !== undefined) this.#port.onFree(lastedMs);
  }

  #isWithinRate(source: string): boolean {
    const now = performance.now();
    if (now - this.#since >= RATE_MS) {
      this.#since = now;
      this.#total = 0;
      this.#arrivals.clear();
    }
    const arrived = this.#arrivals.get(source) ?? 0;
    if (arrived >= ADDRESS_RATE_MAX || this.#total >= TOTAL_RATE_MAX) return false;
    this.#total += 1;
    this.#arrivals.set(source, arrived + 1);
    return true;
  }
}
